/* A datagram socket that was connected first, then written to like a file. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int fd = opened(AF_INET, SOCK_DGRAM, 0);
    dialled(fd, place(OUT4, 9999));
    if (write(fd, PAYLOAD, strlen(PAYLOAD)) < 0) blocked("write %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
