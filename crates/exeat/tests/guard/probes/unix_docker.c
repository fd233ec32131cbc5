/* The socket by which a container daemon hands out the machine. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_UNIX, SOCK_STREAM, 0);
    dialled(fd, path("/run/docker.sock"));
    const char *ask = "GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n";
    if (send(fd, ask, strlen(ask), 0) < 0) blocked("send %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
