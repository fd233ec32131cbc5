/* A datagram by sendto. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET, SOCK_DGRAM, 0);
    struct place to = place(OUT4, 9999);
    if (sendto(fd, PAYLOAD, strlen(PAYLOAD), 0, (struct sockaddr *)&to.at, to.size) < 0) blocked("sendto %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
