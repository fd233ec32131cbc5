/* A socket of the machine that happens to lie in the folder that was given. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    char name[108];
    snprintf(name, sizeof name, "%s/host.sock", told("WORKSPACE"));
    int fd = opened(AF_UNIX, SOCK_STREAM, 0);
    dialled(fd, path(name));
    converse(fd);
}
