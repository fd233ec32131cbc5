/* Another route: to where packets would go that are captured now. */
#include "probe.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    struct {
        struct nlmsghdr head;
        struct rtmsg route;
        struct rtattr to_head;
        unsigned char to[4];
        struct rtattr by_head;
        unsigned int by;
    } ask = {
        .head = {sizeof ask, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, 1, 0},
        .route = {.rtm_family = AF_INET, .rtm_dst_len = 24, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
                  .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST},
        .to_head = {sizeof(struct rtattr) + 4, RTA_DST},
        .to = {198, 51, 100, 0},
        .by_head = {sizeof(struct rtattr) + 4, RTA_OIF},
        .by = 1,
    };
    if (send(fd, &ask, sizeof ask, 0) < 0) blocked("send %s", because());
    char answer[512];
    struct pollfd ready = {fd, POLLIN, 0};
    if (poll(&ready, 1, 1500) <= 0 || recv(fd, answer, sizeof answer, 0) < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        blocked("no answer");
    errno = -((struct nlmsgerr *)NLMSG_DATA(answer))->error;
    if (!errno) leaked("a route was added");
    blocked("answer %s", because());
}
