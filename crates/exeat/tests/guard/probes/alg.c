/* The kernel's own ciphers by socket, a steady source of holes. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    tried("alg", socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0));
    blocked("%s", refusals);
}
