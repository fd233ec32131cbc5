/* Not a probe: says a line for every packet that comes in by an interface, but those by which the kernel itself finds
 * its neighbours. */
#include "probe.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
int main(int n, char **words) {
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sockaddr_ll on = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = if_nametoindex(words[1])};
    if (fd < 0 || bind(fd, (struct sockaddr *)&on, sizeof on)) return perror("capture"), 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        unsigned char frame[2048];
        struct sockaddr_ll from;
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(fd, frame, sizeof frame, 0, (struct sockaddr *)&from, &size);
        if (got < 14 || from.sll_pkttype == PACKET_OUTGOING) continue;
        int kind = frame[12] << 8 | frame[13];
        unsigned char *ip = frame + 14;
        char to[64];
        if (kind == ETH_P_ARP) continue;
        if (kind == ETH_P_IP) {
            unsigned char *rest = ip + (ip[0] & 15) * 4;
            inet_ntop(AF_INET, ip + 16, to, sizeof to);
            printf("ip %d %s %d\n", ip[9], to, ip[9] == 6 || ip[9] == 17 ? rest[2] << 8 | rest[3] : 0);
        } else if (kind == ETH_P_IPV6) {
            unsigned char next = ip[6], *rest = ip + 40;
            if (next == 0) next = rest[0], rest += 8 * (rest[1] + 1);
            if (next == 58 && (rest[0] == 143 || rest[0] == 131 || rest[0] == 132 || (rest[0] >= 133 && rest[0] <= 136)))
                continue;
            inet_ntop(AF_INET6, ip + 24, to, sizeof to);
            printf("ip6 %d %s %d\n", next, to, next == 6 || next == 17 ? rest[2] << 8 | rest[3] : 0);
        } else {
            printf("frame %04x\n", kind);
        }
        fflush(stdout);
    }
}
