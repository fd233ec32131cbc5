/* Not a probe: a process of the machine that others would like to get at. It holds a connection to outside at 3 and
 * a secret at 4, shares memory by key and by name, says where its own can be written, and stays. */
#include "probe.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
static char memory[64];
int main(int n, char **words) {
    begin(words);
    int outside = socket(AF_INET, SOCK_STREAM, 0);
    struct place to = place(OUT4, 443);
    if (connect(outside, (struct sockaddr *)&to.at, to.size) || dup2(outside, 3) < 0) return 1;
    char name[512];
    snprintf(name, sizeof name, "%s/secret", told("OUTSIDE"));
    int secret = open(name, O_RDONLY);
    if (secret < 0 || dup2(secret, 4) < 0) return 2;
    if (chdir(told("OUTSIDE"))) return 3;
    char shared[64];
    snprintf(shared, sizeof shared, "/%s", told("SHARED"));
    shm_unlink(shared);
    if (shmget(atoi(told("SHM")), 16, IPC_CREAT | 0666) < 0 || shm_open(shared, O_RDWR | O_CREAT, 0666) < 0) return 4;
    printf("%p\n", (void *)memory);
    fflush(stdout);
    for (;;) pause();
}
