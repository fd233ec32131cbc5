/* The same by clone, old and new. */
#include "probe.h"
#include <linux/sched.h>
static long child_of(long pid) {
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid(pid, 0, 0);
    return pid;
}
int main(int n, char **words) {
    begin(words);
    tried("clone", child_of(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)));
    tried("clone+net", child_of(syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0)));
    struct clone_args how = {.flags = CLONE_NEWUSER | CLONE_NEWPID, .exit_signal = SIGCHLD};
    tried("clone3", child_of(syscall(SYS_clone3, &how, sizeof how)));
    blocked("%s", refusals);
}
