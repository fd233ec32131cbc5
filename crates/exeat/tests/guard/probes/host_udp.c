/* A datagram to a service on the loopback of the machine. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET, SOCK_DGRAM, 0);
    struct place to = place("127.0.0.1", 9125);
    if (sendto(fd, PAYLOAD, strlen(PAYLOAD), 0, (struct sockaddr *)&to.at, to.size) < 0) blocked("sendto %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
