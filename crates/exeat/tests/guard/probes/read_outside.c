/* Files that were not given: a neighbour's, the system's secrets. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    char name[512], key[512], bytes[64];
    snprintf(name, sizeof name, "%s/secret", told("OUTSIDE"));
    snprintf(key, sizeof key, "%s/.ssh/id_ed25519", told("HOST_HOME"));
    const char *const all[] = {name, key, "/etc/shadow", "/proc/1/environ", "/dev/vda", "/dev/mem"};
    for (int i = 0; i < 6; i++) {
        int fd = open(all[i], O_RDONLY | O_NONBLOCK);
        if (fd >= 0 && read(fd, bytes, sizeof bytes) > 0) leaked("read %s", i > 1 ? all[i] : "what belongs to another");
    }
    blocked("none could be read");
}
