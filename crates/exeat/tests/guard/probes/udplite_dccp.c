/* The lesser transports: UDP-Lite, DCCP. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    tried("udplite", socket(AF_INET, SOCK_DGRAM, 136));
    tried("udplite6", socket(AF_INET6, SOCK_DGRAM, 136));
    tried("dccp", socket(AF_INET, 6 /* SOCK_DCCP */, 33));
    blocked("%s", refusals);
}
