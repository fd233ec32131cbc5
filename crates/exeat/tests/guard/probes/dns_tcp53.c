/* The same over TCP, and bytes that are no question. */
#include "dns.h"
int main(int n, char **words) {
    begin(words);
    unsigned char packet[514];
    size_t size = question(packet + 2, "probe.example.com", 16);
    packet[0] = size >> 8, packet[1] = size;
    int fd = opened(AF_INET, SOCK_STREAM, 0);
    dialled(fd, place("8.8.8.8", 53));
    if (send(fd, packet, size + 2, 0) < 0) blocked("send %s", because());
    if (hears(fd)) leaked("answered from outside");
    close(fd);
    fd = opened(AF_INET, SOCK_STREAM, 0);
    dialled(fd, place("8.8.8.8", 53));
    converse(fd);
}
