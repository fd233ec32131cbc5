/* Packets whose IP header the sender wrote, and any protocol number. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (fd < 0) {
        tried("raw", fd);
        tried("raw6", socket(AF_INET6, SOCK_RAW, IPPROTO_RAW));
        tried("gre", socket(AF_INET, SOCK_RAW, 47));
        blocked("%s", refusals);
    }
    unsigned char packet[40] = {0x45, 0, 0, 40, 0, 0, 0, 0, 64, 253};
    inet_pton(AF_INET, OUT4, packet + 16);
    struct place to = place(OUT4, 0);
    tried("sendto", sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&to.at, to.size));
    blocked("%s", refusals);
}
