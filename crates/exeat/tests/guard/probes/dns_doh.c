/* Names over HTTPS: the first bytes of TLS to a public resolver, and the same without TLS. */
#include "probe.h"
static void knock(int port, const void *bytes, size_t size) {
    int fd = opened(AF_INET, SOCK_STREAM, 0);
    struct place to = place("1.1.1.1", port);
    if (!connect(fd, (struct sockaddr *)&to.at, to.size) && send(fd, bytes, size, MSG_NOSIGNAL) > 0 && hears(fd))
        leaked("answered on port %d", port);
    close(fd);
}
int main(int n, char **words) {
    begin(words);
    static const char name[] = "cloudflare-dns.com";
    unsigned char hello[128] = {22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3};
    unsigned char *end = hello + 43;
    *end++ = 0;                                             /* no session */
    *end++ = 0, *end++ = 2, *end++ = 0x13, *end++ = 1;      /* one cipher */
    *end++ = 1, *end++ = 0;                                 /* no compression */
    size_t length = sizeof name - 1;
    *end++ = 0, *end++ = length + 9;                        /* extensions: the name of the server */
    *end++ = 0, *end++ = 0, *end++ = 0, *end++ = length + 5, *end++ = 0, *end++ = length + 3, *end++ = 0, *end++ = 0,
    *end++ = length;
    memcpy(end, name, length);
    end += length;
    hello[4] = end - hello - 5, hello[8] = end - hello - 9;
    knock(443, hello, end - hello);
    static const char plain[] = "POST /dns-query HTTP/1.1\r\nHost: 1.1.1.1\r\nContent-Length: 0\r\n\r\n";
    knock(80, plain, sizeof plain - 1);
    knock(853, hello, end - hello);
    blocked("no answer");
}
