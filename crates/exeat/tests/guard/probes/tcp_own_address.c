/* The machine's own address on its network, and a private neighbour. */
#include "probe.h"
static void knock(const char *host) {
    int fd = opened(AF_INET, SOCK_STREAM, 0);
    struct place to = place(host, 5432);
    if (connect(fd, (struct sockaddr *)&to.at, to.size)) return;
    if (send(fd, PAYLOAD, strlen(PAYLOAD), MSG_NOSIGNAL) > 0 && hears(fd)) leaked("%s answered", host);
    close(fd);
}
int main(int n, char **words) {
    begin(words);
    knock(told("NEAR"));
    knock("10.11.12.13");
    blocked("nobody answers");
}
