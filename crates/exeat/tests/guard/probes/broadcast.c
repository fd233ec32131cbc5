/* All machines of the link. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int on = 1, fd = opened(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    struct place to = place("255.255.255.255", 9999);
    tried("sendto", sendto(fd, PAYLOAD, strlen(PAYLOAD), 0, (struct sockaddr *)&to.at, to.size));
    blocked("%s", refusals);
}
