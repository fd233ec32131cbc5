/* Whole frames on an interface, and listening to all of them. */
#include "probe.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
int main(int n, char **words) {
    begin(words);
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    if (fd < 0) {
        tried("raw", fd);
        tried("dgram", socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)));
        tried("old", socket(AF_INET, 10 /* SOCK_PACKET */, htons(ETH_P_ALL)));
        blocked("%s", refusals);
    }
    unsigned char frame[64] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
    for (unsigned i = 1; i < 64; i++) {
        struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = i, .sll_halen = 6};
        char name[IF_NAMESIZE];
        if (if_indextoname(i, name)) sendto(fd, frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to);
    }
    leaked("socket");
}
