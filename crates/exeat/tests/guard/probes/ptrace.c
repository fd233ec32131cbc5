/* Making another process do it. */
#include "probe.h"
#include <sys/ptrace.h>
static void seize(pid_t pid) {
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
        ptrace(PTRACE_DETACH, pid, 0, 0);
        leaked("seized another process");
    }
    if (ptrace(PTRACE_ATTACH, pid, 0, 0) == 0) leaked("attached to another process");
}
int main(int n, char **words) {
    begin(words);
    each_process(seize);
    blocked("ptrace %s", because());
}
