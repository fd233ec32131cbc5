/* SCTP, one to one and one to many. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    tried("stream", socket(AF_INET, SOCK_STREAM, 132));
    tried("seqpacket", socket(AF_INET, SOCK_SEQPACKET, 132));
    tried("stream6", socket(AF_INET6, SOCK_STREAM, 132));
    blocked("%s", refusals);
}
