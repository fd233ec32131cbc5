/* Changing what is seen, by the old calls and the new. */
#include "probe.h"
#include <sys/mount.h>
int main(int n, char **words) {
    begin(words);
    char here[512];
    snprintf(here, sizeof here, "%s/here", told("WORKSPACE"));
    mkdir(here, 0755);
    tried("mount", mount("none", here, "tmpfs", 0, 0));
    tried("remount", mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0));
    tried("umount", umount2("/", MNT_DETACH));
    tried("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    tried("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */));
    tried("chroot", chroot(here));
    blocked("%s", refusals);
}
