/* Whatever the one who starts calls forgot to close. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int found = 0, kind = 0;
    for (int fd = 3; fd < 4096; fd++) {
        struct stat what = {0};
        if (fstat(fd, &what)) continue;
        found = fd, kind = what.st_mode >> 12;
        if (S_ISSOCK(what.st_mode)) send(fd, PAYLOAD, strlen(PAYLOAD), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (found) leaked("descriptor %d of kind %o is open", found, kind);
    for (int fd = 0; fd < 3; fd++) {
        struct stat what = {0};
        if (!fstat(fd, &what) && (S_ISSOCK(what.st_mode) || S_ISDIR(what.st_mode)))
            leaked("descriptor %d is a socket or a folder", fd);
    }
    blocked("nothing but 0 to 2");
}
