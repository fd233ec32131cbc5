/* The service itself and its database, on the loopback of the machine. */
#include "probe.h"
static void knock(int family, const char *host, int port) {
    int fd = opened(family, SOCK_STREAM, 0);
    struct place to = place(host, port);
    if (!connect(fd, (struct sockaddr *)&to.at, to.size)) {
        send(fd, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 34, MSG_NOSIGNAL);
        char answer[64];
        struct pollfd ready = {fd, POLLIN, 0};
        if (poll(&ready, 1, 500) > 0 && recv(fd, answer, sizeof answer, 0) > 0) leaked("%s port %d answered", host, port);
    }
    close(fd);
}
int main(int n, char **words) {
    begin(words);
    int ports[] = {5432, atoi(told("API"))};
    for (int i = 0; i < 2; i++) {
        if (!ports[i]) continue;
        knock(AF_INET, "127.0.0.1", ports[i]);
        knock(AF_INET, "127.8.8.8", ports[i]);
        knock(AF_INET, "0.0.0.0", ports[i]);
        knock(AF_INET6, "::1", ports[i]);
        knock(AF_INET6, "::ffff:127.0.0.1", ports[i]);
        knock(AF_INET6, "::", ports[i]);
    }
    blocked("nobody answers");
}
