/* Many at once, while others change the address under the hands of whoever reads it. */
#include "probe.h"
static struct place shared;
static volatile int stop;
static int leaks;
static void *flip(void *unused) {
    struct place good = place("127.0.0.1", 3128), bad = place(OUT4, 443);
    while (!stop) {
        memcpy(&shared.at, &good.at, sizeof(struct sockaddr_in));
        memcpy(&shared.at, &bad.at, sizeof(struct sockaddr_in));
    }
    return unused;
}
static void *dial(void *unused) {
    for (int i = 0; i < 40; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) continue;
        if (!connect(fd, (struct sockaddr *)&shared.at, sizeof(struct sockaddr_in))) {
            send(fd, PAYLOAD, strlen(PAYLOAD), MSG_NOSIGNAL);
            if (hears(fd)) __atomic_add_fetch(&leaks, 1, __ATOMIC_SEQ_CST);
        }
        close(fd);
    }
    return unused;
}
int main(int n, char **words) {
    begin(words);
    shared = place(OUT4, 443);
    pthread_t flipping, dialling[4];
    pthread_create(&flipping, 0, flip, 0);
    for (int i = 0; i < 4; i++) pthread_create(&dialling[i], 0, dial, 0);
    for (int i = 0; i < 4; i++) pthread_join(dialling[i], 0);
    stop = 1;
    pthread_join(flipping, 0);
    if (leaks) leaked("some got through");
    blocked("none got through");
}
