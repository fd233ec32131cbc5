/* A datagram without sendto. */
#include "uring.h"
int main(int n, char **words) {
    begin(words);
    ring_up(0);
    int fd = opened(AF_INET, SOCK_DGRAM, 0);
    struct place to = place(OUT4, 9999);
    struct iovec bytes = {PAYLOAD, strlen(PAYLOAD)};
    struct msghdr message = {.msg_name = &to.at, .msg_namelen = to.size, .msg_iov = &bytes, .msg_iovlen = 1};
    int result = submit((struct io_uring_sqe){
        .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uintptr_t)&message, .len = 1});
    errno = -result;
    if (result < 0) blocked("sendmsg %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
