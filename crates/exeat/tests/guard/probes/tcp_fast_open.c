/* TCP Fast Open: a connection and its first bytes in one sendto, without connect. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET, SOCK_STREAM, 0);
    struct place to = place(OUT4, 443);
    if (sendto(fd, PAYLOAD, strlen(PAYLOAD), MSG_FASTOPEN, (struct sockaddr *)&to.at, to.size) < 0)
        blocked("sendto %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
