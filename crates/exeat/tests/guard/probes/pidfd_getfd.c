/* A descriptor taken out of another process. */
#include "probe.h"
static void take(pid_t pid) {
    int process = syscall(SYS_pidfd_open, pid, 0);
    if (process < 0) return;
    for (int fd = 0; fd < 8; fd++) {
        int taken = syscall(SYS_pidfd_getfd, process, fd, 0);
        if (taken < 0) continue;
        send(taken, PAYLOAD, strlen(PAYLOAD), MSG_NOSIGNAL);
        leaked("took one");
    }
    close(process);
}
int main(int n, char **words) {
    begin(words);
    each_process(take);
    errno = 0;
    syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, getpid(), 0), 1, 0);
    blocked("none to be had %s", because());
}
