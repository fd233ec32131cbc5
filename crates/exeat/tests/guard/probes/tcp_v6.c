/* Plain TCP to a public IPv6 address. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET6, SOCK_STREAM, 0);
    dialled(fd, place(OUT6, 443));
    converse(fd);
}
