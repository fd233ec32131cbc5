/* Into the namespaces of another process. */
#include "probe.h"
static void enter(pid_t pid) {
    static const char *const kinds[] = {"net", "mnt", "user", "pid", "uts", "ipc", "cgroup"};
    char name[64];
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "/proc/%d/ns/%s", pid, kinds[i]);
        int space = open(name, O_RDONLY);
        if (space < 0) continue;
        if (setns(space, 0) == 0) leaked("entered %s", kinds[i]);
        close(space);
    }
    int process = syscall(SYS_pidfd_open, pid, 0);
    if (process >= 0 && setns(process, CLONE_NEWNET) == 0) leaked("entered by pidfd");
}
int main(int n, char **words) {
    begin(words);
    each_process(enter);
    if (setns(open("/proc/self/ns/net", O_RDONLY), 0) == 0) leaked("entered its own");
    blocked("setns %s", because());
}
