/* Where clouds keep the credentials of a machine. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET, SOCK_STREAM, 0);
    dialled(fd, place("169.254.169.254", 80));
    const char *ask = "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n";
    if (send(fd, ask, strlen(ask), 0) < 0) blocked("send %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
