/* A server and a client of the probe's own over loopback: tests of applications need this. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    struct place at = place("127.0.0.1", 0);
    int server = opened(AF_INET, SOCK_STREAM, 0), client = opened(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&at.at, at.size)) blocked("bind %s", because());
    if (listen(server, 1)) blocked("listen %s", because());
    getsockname(server, (struct sockaddr *)&at.at, &at.size);
    dialled(client, at);
    int peer = accept(server, 0, 0);
    if (peer < 0) blocked("accept %s", because());
    if (send(peer, "heard", 5, 0) != 5 || !hears(client)) blocked("nothing came through");
    works("its own server");
}
