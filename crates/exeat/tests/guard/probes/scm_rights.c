/* A connection of somebody else, handed over by descriptor. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    char name[108];
    snprintf(name, sizeof name, "%s/giver.sock", told("WORKSPACE"));
    int fd = opened(AF_UNIX, SOCK_STREAM, 0);
    dialled(fd, path(name));
    char byte, room[CMSG_SPACE(sizeof(int))];
    struct iovec bytes = {&byte, 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    if (recvmsg(fd, &message, 0) <= 0) blocked("recvmsg %s", because());
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (!head || head->cmsg_type != SCM_RIGHTS) blocked("no descriptor came");
    int given;
    memcpy(&given, CMSG_DATA(head), sizeof given);
    if (send(given, PAYLOAD, strlen(PAYLOAD), 0) < 0) blocked("send %s", because());
    leaked("wrote to a descriptor of somebody else");
}
