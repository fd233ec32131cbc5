/* Typing into the terminal of whoever started this: what is typed runs outside, later. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave = -1;
    if (fork()) {
        int status;
        wait(&status);
        if (WEXITSTATUS(status) == LEAK) leaked("a byte was typed");
        errno = WEXITSTATUS(status);
        blocked("ioctl %s", because());
    }
    setsid();
    if (master >= 0 && !grantpt(master) && !unlockpt(master)) slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (slave < 0) slave = 0;
    ioctl(slave, TIOCSCTTY, 1);
    char byte = 'x';
    if (ioctl(slave, TIOCSTI, &byte) == 0) _exit(LEAK);
    _exit(errno);
}
