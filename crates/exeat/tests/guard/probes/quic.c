/* What the first packet of QUIC looks like: 1200 bytes to UDP port 443. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    unsigned char packet[1200] = {0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e};
    memcpy(packet + 32, PAYLOAD, strlen(PAYLOAD));
    int fd = opened(AF_INET, SOCK_DGRAM, 0);
    struct place to = place(OUT4, 443);
    if (sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&to.at, to.size) < 0) blocked("sendto %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
