/* Plain TCP to a public address. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET, SOCK_STREAM, 0);
    dialled(fd, place(OUT4, 443));
    converse(fd);
}
