/* Filling what is not one's own to fill. MIB is how much counts as too much. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    static char bytes[1 << 20];
    memset(bytes, 'x', sizeof bytes);
    long limit = atol(told("MIB")), written = 0;
    const char *const folders[] = {"/tmp", "/dev/shm", "/var/tmp", "/run", getenv("HOME") ? getenv("HOME") : "/"};
    for (int i = 0; i < 5; i++) {
        char name[512];
        snprintf(name, sizeof name, "%s/exeat-fill-%d", folders[i], getpid());
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (fd < 0) continue;
        unlink(name);
        while (written < limit && write(fd, bytes, sizeof bytes) == sizeof bytes) written++;
        if (written >= limit) leaked("%ld MiB were written", written);
        /* Kept open: what one folder holds is not to be free for the next. */
    }
    blocked("there was an end to it");
}
