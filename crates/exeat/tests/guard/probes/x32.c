/* The x32 numbers of x86-64, and numbers that are not there yet. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
#ifdef __x86_64__
    tried("x32 getpid", syscall(0x40000000L + 39));
    tried("x32 socket", syscall(0x40000000L + 41, AF_INET, SOCK_STREAM, 0));
#endif
    tried("unknown", syscall(700, 0, 0, 0));
    blocked("%s", refusals);
}
