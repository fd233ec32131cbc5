/* Files where none were given: directly, upwards, by links, by another name, by the loader's folders. */
#include "probe.h"
static int writes(const char *name) {
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return -1;
    return write(fd, "x", 1) == 1 ? 0 : -1;
}
int main(int n, char **words) {
    begin(words);
    char name[512], link[512];
    snprintf(name, sizeof name, "%s/written", told("OUTSIDE"));
    tried("direct", writes(name));
    snprintf(link, sizeof link, "%s/link-out-%d", told("WORKSPACE"), getpid());
    if (!symlink(name, link)) {
        int result = writes(link), error = errno;
        unlink(link);
        errno = error;
        tried("link", result);
    }
    snprintf(name, sizeof name, "%s/../outside/written", told("WORKSPACE"));
    tried("upwards", writes(name));
    snprintf(name, sizeof name, "%s/secret", told("OUTSIDE"));
    tried("truncate", truncate(name, 0));
    tried("rename", rename(name, "/tmp/taken"));
    tried("unlink", unlink(name));
    tried("usr", writes("/usr/lib/exeat-probe-dropping"));
    tried("etc", writes("/etc/exeat-probe-dropping"));
    tried("opt", writes("/opt/exeat-probe-dropping"));
    blocked("%s", refusals);
}
