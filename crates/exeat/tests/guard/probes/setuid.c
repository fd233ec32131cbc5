/* A program of the system that its owner lends his rights to. It waits for a password, and can be looked at meanwhile. */
#include "probe.h"
static unsigned effective(pid_t pid) {
    char name[64], line[256];
    unsigned real = 0, user = getuid();
    snprintf(name, sizeof name, "/proc/%d/status", pid);
    FILE *status = fopen(name, "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "Uid: %u %u", &real, &user) == 2) break;
    if (status) fclose(status);
    return user;
}
int main(int n, char **words) {
    begin(words);
    if (getuid() == 0) blocked("root has nothing to gain here");
    static const char *const programs[] = {"/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/usr/bin/sudo"};
    int found = 0;
    for (int i = 0; i < 4; i++) {
        struct stat what;
        if (stat(programs[i], &what) || !(what.st_mode & S_ISUID)) continue;
        found++;
        int both[2];
        if (pipe(both)) blocked("pipe %s", because());
        pid_t child = fork();
        if (child == 0) {
            int null = open("/dev/null", O_RDWR);
            setsid();
            dup2(both[0], 0), dup2(null, 1), dup2(null, 2);
            execl(programs[i], programs[i], (char *)0);
            _exit(99);
        }
        int gained = 0;
        for (int turn = 0; turn < 100 && !gained; turn++) {
            gained = effective(child) != getuid();
            usleep(2000);
        }
        close(both[0]), close(both[1]);
        kill(child, SIGKILL);
        waitpid(child, 0, 0);
        if (gained) leaked("%s ran with the rights of its owner", programs[i]);
    }
    blocked("%d programs ran with no other rights", found);
}
