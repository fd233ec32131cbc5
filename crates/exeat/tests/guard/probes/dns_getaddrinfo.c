/* Looking a name up the way every program does: it gets an address of ours, and nobody outside hears the name. */
#include "probe.h"
#include <netdb.h>
int main(int n, char **words) {
    begin(words);
    struct addrinfo *found = 0, how = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET};
    int failed = getaddrinfo("probe.example.com", "443", &how, &found);
    if (failed) blocked("getaddrinfo %s", gai_strerror(failed));
    char text[64];
    inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof text);
    if (!strcmp(text, "45.79.0.9")) leaked("the name went out");
    works("an address of the guard's own");
}
