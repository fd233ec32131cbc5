/* The calls of another architecture, whose numbers mean something else. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
#ifdef __x86_64__
    long got = -1;
    __asm__ volatile("int $0x80" : "=a"(got) : "a"(20 /* getpid */) : "memory");
    if (got == getpid()) leaked("a call of i386 was carried out");
    errno = -got;
    blocked("int 0x80 %s", because());
#else
    blocked("this machine has no other architecture");
#endif
}
