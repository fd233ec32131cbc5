/* The same, by a link of the probe's own making and by its folder's descriptor. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    char name[108], link[108], through[108];
    snprintf(name, sizeof name, "%s/host.sock", told("WORKSPACE"));
    snprintf(link, sizeof link, "%s/link-%d", told("WORKSPACE"), getpid());
    int fd = opened(AF_UNIX, SOCK_STREAM, 0);
    int linked = symlink(name, link) == 0;
    struct place to = path(link);
    int refused = !linked || connect(fd, (struct sockaddr *)&to.at, to.size);
    if (linked) unlink(link);
    if (refused) {
        int folder = open(told("WORKSPACE"), O_PATH | O_DIRECTORY);
        snprintf(through, sizeof through, "/proc/self/fd/%d/host.sock", folder);
        dialled(fd, path(through));
    }
    converse(fd);
}
