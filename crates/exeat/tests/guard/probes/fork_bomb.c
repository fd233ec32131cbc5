/* More processes than anybody needs, for longer than it takes to notice. COUNT is how many count as too many. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    int limit = atoi(told("COUNT")), made = 0;
    pid_t group = fork();
    if (group == 0) {
        setpgid(0, 0);
        int failed = 0;
        while (made < limit && !failed) {
            pid_t child = fork();
            if (child == 0) {
                for (;;) pause();
            }
            if (child < 0) failed = errno;
            else made++;
        }
        if (made >= limit) sleep(1);
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        while (wait(0) > 0) {}
        _exit(made >= limit ? LEAK : 0);
    }
    int status = 0;
    waitpid(group, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == LEAK) leaked("all of them were made");
    blocked("there was an end to it");
}
