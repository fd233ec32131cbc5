/* Waiting for somebody outside to fetch it: the test dials from the far network all the time. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int on = 1, fd = opened(AF_INET6, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct place at = place("::", 7777);
    if (bind(fd, (struct sockaddr *)&at.at, at.size)) blocked("bind %s", because());
    if (listen(fd, 8)) blocked("listen %s", because());
    struct pollfd ready = {fd, POLLIN, 0};
    if (poll(&ready, 1, 1500) <= 0) blocked("nobody came");
    struct sockaddr_in6 from = {0};
    socklen_t size = sizeof from;
    int peer = accept(fd, (struct sockaddr *)&from, &size);
    if (peer < 0) blocked("accept %s", because());
    send(peer, PAYLOAD, strlen(PAYLOAD), 0);
    leaked("somebody came");
}
