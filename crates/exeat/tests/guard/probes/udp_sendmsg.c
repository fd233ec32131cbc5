/* A datagram by sendmsg, over IPv6. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET6, SOCK_DGRAM, 0);
    struct place to = place(OUT6, 9999);
    struct iovec bytes = {PAYLOAD, strlen(PAYLOAD)};
    struct msghdr message = {.msg_name = &to.at, .msg_namelen = to.size, .msg_iov = &bytes, .msg_iovlen = 1};
    if (sendmsg(fd, &message, 0) < 0) blocked("sendmsg %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
