/* The rest of what changes the kernel or looks into it. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    char room[128] = {0};
    tried("bpf", syscall(SYS_bpf, 0, room, sizeof room));
    tried("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, room, 0));
    tried("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
    tried("init_module", syscall(SYS_init_module, room, 0, ""));
    tried("perf_event_open", syscall(SYS_perf_event_open, room, 0, -1, -1, 0));
    tried("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    tried("userfaultfd", syscall(SYS_userfaultfd, 0));
    blocked("%s", refusals);
}
