/* Another root; an invalid place means that only the place was wrong. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    long done = syscall(SYS_pivot_root, ".", ".");
    if (done == 0 || (errno != EPERM && errno != ENOSYS && errno != EACCES)) leaked("pivot_root was carried out");
    blocked("pivot_root %s", because());
}
