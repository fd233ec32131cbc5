/* A connect that does not wait: whoever only looks at its result sees EINPROGRESS. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct place to = place(OUT4, 443);
    if (connect(fd, (struct sockaddr *)&to.at, to.size) && errno != EINPROGRESS) blocked("connect %s", because());
    struct pollfd ready = {fd, POLLOUT, 0};
    if (poll(&ready, 1, 1500) <= 0) blocked("never connected");
    socklen_t size = sizeof errno;
    int error = 0;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        errno = error;
        blocked("connect %s", because());
    }
    converse(fd);
}
