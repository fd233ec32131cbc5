/* An IPv4 address in the clothes of IPv6. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET6, SOCK_STREAM, 0);
    dialled(fd, place("::ffff:" OUT4, 443));
    converse(fd);
}
