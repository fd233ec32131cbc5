/* What is said of files that were not given: who may do what with them, whose they are, how old. */
#include "probe.h"
#include <sys/xattr.h>
int main(int n, char **words) {
    begin(words);
    char name[512];
    snprintf(name, sizeof name, "%s/secret", told("OUTSIDE"));
    tried("chmod", chmod(name, 0644));
    tried("utimensat", utimensat(AT_FDCWD, name, 0, 0));
    tried("setxattr", setxattr(name, "user.exeat", "x", 1, 0));
    tried("chown", chown(name, getuid(), getgid()));
    blocked("%s", refusals);
}
