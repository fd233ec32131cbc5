/* Rings shared with a network device. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    tried("xdp", socket(44 /* AF_XDP */, SOCK_RAW, 0));
    blocked("%s", refusals);
}
