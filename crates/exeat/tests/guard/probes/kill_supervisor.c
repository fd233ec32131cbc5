/* Ending, or stopping, whoever watches; what the first process of a namespace ignores is no harm. */
#include "probe.h"
static void end(pid_t pid) {
    if (pid == 1) {
        kill(pid, SIGKILL), kill(pid, SIGSTOP), kill(pid, SIGTERM);
        return;
    }
    if (kill(pid, 0) == 0) leaked("a signal was sent");
    int process = syscall(SYS_pidfd_open, pid, 0);
    if (process >= 0 && syscall(SYS_pidfd_send_signal, process, 0, 0, 0) == 0) leaked("a signal was sent by pidfd");
    if (syscall(SYS_tgkill, pid, pid, 0) == 0) leaked("a signal was sent to a thread");
}
int main(int n, char **words) {
    begin(words);
    each_process(end);
    usleep(200000);
    blocked("nobody was hit");
}
