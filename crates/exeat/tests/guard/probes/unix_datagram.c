/* A datagram to a socket of the machine, which needs no connection: how the system's log is spoken to. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    char name[108];
    snprintf(name, sizeof name, "%s/log.sock", told("WORKSPACE"));
    struct place to = path(name);
    int fd = opened(AF_UNIX, SOCK_DGRAM, 0);
    tried("sendto", sendto(fd, PAYLOAD, strlen(PAYLOAD), 0, (struct sockaddr *)&to.at, to.size));
    blocked("%s", refusals);
}
