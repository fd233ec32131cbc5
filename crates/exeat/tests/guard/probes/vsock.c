/* From a virtual machine to its host: no network namespace holds this. */
#include "probe.h"
#include <linux/vm_sockets.h>
int main(int n, char **words) {
    begin(words);
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (fd < 0) {
        tried("stream", fd);
        tried("dgram", socket(AF_VSOCK, SOCK_DGRAM, 0));
        tried("seqpacket", socket(AF_VSOCK, SOCK_SEQPACKET, 0));
        blocked("%s", refusals);
    }
    struct sockaddr_vm here = {.svm_family = AF_VSOCK, .svm_port = VMADDR_PORT_ANY, .svm_cid = VMADDR_CID_ANY};
    int bound = bind(fd, (struct sockaddr *)&here, sizeof here);
    leaked("socket%s", bound ? "" : ", bound");
}
