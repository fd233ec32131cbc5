/* Gone before it happens: a daemon that fires two seconds after its maker has ended. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    if (fork() == 0) {
        setsid();
        if (fork() != 0) _exit(0);
        for (int fd = 0; fd < 3; fd++) close(fd);
        sleep(2);
        char name[512];
        snprintf(name, sizeof name, "%s/fired", told("WORKSPACE"));
        close(open(name, O_WRONLY | O_CREAT, 0666));
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct place to = place(OUT4, 443);
        if (!connect(fd, (struct sockaddr *)&to.at, to.size)) send(fd, PAYLOAD, strlen(PAYLOAD), 0), sleep(1);
        _exit(0);
    }
    wait(0);
    works("a daemon was left behind");
}
