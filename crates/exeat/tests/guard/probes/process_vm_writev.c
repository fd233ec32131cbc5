/* Writing into the memory of another process; a bad address means that only the address was wrong. */
#include "probe.h"
static void write_it(pid_t pid) {
    char bytes[8] = "written";
    struct iovec mine = {bytes, sizeof bytes}, its = {(void *)strtoul(told("ADDRESS"), 0, 0), sizeof bytes};
    if (process_vm_writev(pid, &mine, 1, &its, 1, 0) >= 0 || errno == EFAULT) leaked("wrote");
    if (process_vm_readv(pid, &mine, 1, &its, 1, 0) >= 0 || errno == EFAULT) leaked("read");
}
int main(int n, char **words) {
    begin(words);
    each_process(write_it);
    blocked("process_vm_writev %s", because());
}
