/* A call whose memory nobody else may read: whoever lets go on what he cannot look at lets everything go on. */
#include "probe.h"
#include <sys/prctl.h>
int main(int n, char **words) {
    begin(words);
    char name[108];
    snprintf(name, sizeof name, "%s/host.sock", told("WORKSPACE"));
    int fd = opened(AF_UNIX, SOCK_STREAM, 0);
    if (prctl(PR_SET_DUMPABLE, 0)) blocked("prctl %s", because());
    dialled(fd, path(name));
    converse(fd);
}
