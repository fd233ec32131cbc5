/* After main has returned. */
#include "probe.h"
static void late(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct place to = place(OUT4, 443);
    const char *verdict = "blocked at the end\n";
    if (fd >= 0 && !connect(fd, (struct sockaddr *)&to.at, to.size) &&
        send(fd, PAYLOAD, strlen(PAYLOAD), 0) > 0 && hears(fd))
        verdict = "leaked at the end\n";
    if (write(1, verdict, strlen(verdict)) < 0) _exit(3);
    _exit(*verdict == 'l' ? LEAK : 0);
}
int main(int n, char **words) {
    begin(words);
    atexit(late);
    return 0;
}
