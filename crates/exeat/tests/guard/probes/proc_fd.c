/* A file that another process holds open, by its place in /proc. */
#include "probe.h"
static void read_it(pid_t pid) {
    char name[64], bytes[64];
    for (int fd = 0; fd < 8; fd++) {
        snprintf(name, sizeof name, "/proc/%d/fd/%d", pid, fd);
        int file = open(name, O_RDONLY | O_NONBLOCK);
        if (file < 0) continue;
        ssize_t size = pread(file, bytes, sizeof bytes, 0);
        if (size > 0 && memmem(bytes, size, "secret", 6)) leaked("read what another holds open");
        close(file);
    }
}
int main(int n, char **words) {
    begin(words);
    each_process(read_it);
    blocked("none to be read");
}
