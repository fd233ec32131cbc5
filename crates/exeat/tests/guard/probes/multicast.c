/* Groups of machines on the link, where local discovery talks. */
#include "probe.h"
static long shout(int family, const char *group, int port) {
    int fd = opened(family, SOCK_DGRAM, 0);
    struct place to = place(group, port);
    long sent = sendto(fd, PAYLOAD, strlen(PAYLOAD), 0, (struct sockaddr *)&to.at, to.size);
    int error = errno;
    close(fd);
    errno = error;
    return sent;
}
int main(int n, char **words) {
    begin(words);
    tried("mdns", shout(AF_INET, "224.0.0.251", 5353));
    tried("ssdp", shout(AF_INET, "239.255.255.250", 1900));
    tried("mdns6", shout(AF_INET6, "ff02::fb", 5353));
    blocked("%s", refusals);
}
