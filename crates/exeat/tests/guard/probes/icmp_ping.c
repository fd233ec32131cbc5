/* Ping sockets, which need no privilege where the system allows them; 20 bytes of payload travel along. */
#include "probe.h"
static long ping(int family, int protocol, const char *host, unsigned char kind) {
    int fd = socket(family, SOCK_DGRAM, protocol);
    if (fd < 0) return -1;
    unsigned char packet[8 + sizeof PAYLOAD] = {kind};
    memcpy(packet + 8, PAYLOAD, sizeof PAYLOAD);
    struct place to = place(host, 0);
    return sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&to.at, to.size);
}
int main(int n, char **words) {
    begin(words);
    tried("icmp", ping(AF_INET, IPPROTO_ICMP, OUT4, 8));
    tried("icmp6", ping(AF_INET6, IPPROTO_ICMPV6, OUT6, 128));
    blocked("%s", refusals);
}
