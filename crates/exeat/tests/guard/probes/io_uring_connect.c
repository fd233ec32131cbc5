/* Connect and send without those system calls. */
#include "uring.h"
int main(int n, char **words) {
    begin(words);
    ring_connect(0);
}
