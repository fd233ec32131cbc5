/* Multipath TCP, which rules on TCP do not see. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET, SOCK_STREAM, 262);
    dialled(fd, place(OUT4, 443));
    converse(fd);
}
