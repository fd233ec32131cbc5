/* The same over IPv6. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET6, SOCK_STREAM, 0);
    dialled(fd, place("fd00:ec2::254", 80));
    const char *ask = "GET /latest/meta-data/ HTTP/1.1\r\nHost: [fd00:ec2::254]\r\n\r\n";
    if (send(fd, ask, strlen(ask), 0) < 0) blocked("send %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
