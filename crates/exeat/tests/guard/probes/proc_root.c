/* The file system as another process sees it. */
#include "probe.h"
static void read_it(pid_t pid) {
    char name[512], bytes[64];
    static const char *const doors[] = {"root", "cwd"};
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "/proc/%d/%s%s/secret", pid, doors[i], i ? "" : told("OUTSIDE"));
        int file = open(name, O_RDONLY);
        if (file < 0) continue;
        if (read(file, bytes, sizeof bytes) > 0) leaked("by %s", doors[i]);
        close(file);
    }
}
int main(int n, char **words) {
    begin(words);
    each_process(read_it);
    blocked("not to be reached");
}
