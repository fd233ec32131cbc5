/* ICMP by raw sockets. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    tried("icmp", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    tried("icmp6", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
    blocked("%s", refusals);
}
