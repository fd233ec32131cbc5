/* Memory that another process of the machine shares: SysV by its key, POSIX by its file. */
#include "probe.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
int main(int n, char **words) {
    begin(words);
    tried("sysv", shmget(atoi(told("SHM")), 16, 0));
    char name[64];
    snprintf(name, sizeof name, "/%s", told("SHARED"));
    tried("posix", shm_open(name, O_RDWR, 0));
    blocked("%s", refusals);
}
