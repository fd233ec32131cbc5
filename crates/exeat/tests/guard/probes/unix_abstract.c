/* A socket of the machine without a file: no permission guards it. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    struct place to = {0};
    struct sockaddr_un *un = (struct sockaddr_un *)&to.at;
    un->sun_family = AF_UNIX;
    const char *name = told("ABSTRACT");
    memcpy(un->sun_path + 1, name, strlen(name));
    to.size = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
    int fd = opened(AF_UNIX, SOCK_STREAM, 0);
    dialled(fd, to);
    converse(fd);
}
