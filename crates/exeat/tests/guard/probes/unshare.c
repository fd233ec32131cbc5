/* New namespaces, in which one is root. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    tried("user", unshare(CLONE_NEWUSER));
    tried("user+net", unshare(CLONE_NEWUSER | CLONE_NEWNET));
    tried("net", unshare(CLONE_NEWNET));
    tried("mount", unshare(CLONE_NEWNS));
    blocked("%s", refusals);
}
