/* Every other address family, whatever it is good for. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
    int asked = 0;
    for (int family = 3; family < 64; family++) {
        if (family == AF_INET6 || family == AF_NETLINK) continue;
        for (size_t i = 0; i < 4; i++, asked++) {
            int fd = socket(family, types[i], 0);
            if (fd >= 0) leaked("family %d type %d", family, types[i]);
        }
    }
    blocked("%d refused", asked);
}
