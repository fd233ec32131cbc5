/* The same by a thread of the kernel: no system call at all carries it. */
#include "uring.h"
int main(int n, char **words) {
    begin(words);
    ring_connect(IORING_SETUP_SQPOLL);
}
