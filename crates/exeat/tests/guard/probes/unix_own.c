/* A server and a client of the probe's own: this is to work where sockets of the jail can be told from others. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    char name[108];
    snprintf(name, sizeof name, "/tmp/own-%d.sock", getpid());
    struct place at = path(name);
    int server = opened(AF_UNIX, SOCK_STREAM, 0), client = opened(AF_UNIX, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&at.at, at.size)) blocked("bind %s", because());
    listen(server, 1);
    int refused = connect(client, (struct sockaddr *)&at.at, at.size);
    int error = errno;
    unlink(name);
    errno = error;
    if (refused) blocked("connect %s", because());
    works("its own server");
}
