/* Several datagrams in one call. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET, SOCK_DGRAM, 0);
    struct place to = place(OUT4, 9999);
    struct iovec bytes = {PAYLOAD, strlen(PAYLOAD)};
    struct mmsghdr messages[4] = {0};
    for (int i = 0; i < 4; i++)
        messages[i].msg_hdr =
            (struct msghdr){.msg_name = &to.at, .msg_namelen = to.size, .msg_iov = &bytes, .msg_iovlen = 1};
    if (sendmmsg(fd, messages, 4, 0) < 0) blocked("sendmmsg %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
