/* The environment and memory of another process, where credentials are. */
#include "probe.h"
static void read_it(pid_t pid) {
    static const char *const files[] = {"environ", "mem", "auxv"};
    char name[64], bytes[64];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "/proc/%d/%s", pid, files[i]);
        int file = open(name, O_RDONLY);
        if (file < 0) continue;
        if (i == 1 || read(file, bytes, sizeof bytes) > 0) leaked("opened %s of another process", files[i]);
        close(file);
    }
}
int main(int n, char **words) {
    begin(words);
    each_process(read_it);
    blocked("not to be read");
}
