/* Netlink that changes or watches more than routes: the packet filter, audit, devices, generic. */
#include "probe.h"
#include <linux/netlink.h>
int main(int n, char **words) {
    begin(words);
    static const struct {
        const char *name;
        int number;
    } all[] = {{"netfilter", NETLINK_NETFILTER}, {"audit", NETLINK_AUDIT},       {"uevent", NETLINK_KOBJECT_UEVENT},
               {"generic", NETLINK_GENERIC},     {"diag", NETLINK_SOCK_DIAG},    {"connector", NETLINK_CONNECTOR},
               {"xfrm", NETLINK_XFRM}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) tried(all[i].name, socket(AF_NETLINK, SOCK_RAW, all[i].number));
    blocked("%s", refusals);
}
