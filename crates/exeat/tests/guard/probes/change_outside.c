/* What is said of files that were not given: who may do what with them, whose they are, how old. By their names, by
 * what is open, and by what is only held. */
#include "probe.h"
#include <sys/xattr.h>
int main(int n, char **words) {
    begin(words);
    char name[512], held_name[32];
    snprintf(name, sizeof name, "%s/secret", told("OUTSIDE"));
    int fd = open(name, O_RDONLY), held = open(name, O_PATH);
    snprintf(held_name, sizeof held_name, "/proc/self/fd/%d", held);
    tried("chmod", chmod(name, 0644));
    tried("fchmod", fchmod(fd, 0644));
    tried("held", chmod(held_name, 0644));
    tried("utimensat", utimensat(AT_FDCWD, name, 0, 0));
    tried("setxattr", setxattr(name, "user.exeat", "x", 1, 0));
    tried("chown", chown(name, getuid(), getgid()));
    tried("fchownat", fchownat(held, "", getuid(), getgid(), AT_EMPTY_PATH));
    blocked("%s", refusals);
}
