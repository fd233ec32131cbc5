/* The least of io_uring that submits one thing and waits for it. */
#include "probe.h"
#include <linux/io_uring.h>
#include <sys/mman.h>

static struct {
    int fd;
    struct io_uring_params how;
    char *queue, *done;
    struct io_uring_sqe *entries;
} ring;

static inline void ring_up(unsigned flags) {
    ring.how.flags = flags;
    ring.how.sq_thread_idle = 1000;
    ring.fd = syscall(SYS_io_uring_setup, 4, &ring.how);
    if (ring.fd < 0) blocked("io_uring_setup %s", because());
    int both = PROT_READ | PROT_WRITE, shared = MAP_SHARED | MAP_POPULATE;
    ring.queue = mmap(0, 4096, both, shared, ring.fd, IORING_OFF_SQ_RING);
    ring.done = mmap(0, 4096, both, shared, ring.fd, IORING_OFF_CQ_RING);
    ring.entries = mmap(0, 4 * sizeof *ring.entries, both, shared, ring.fd, IORING_OFF_SQES);
    if (ring.queue == MAP_FAILED || ring.done == MAP_FAILED || ring.entries == MAP_FAILED) blocked("mmap %s", because());
}

/* The result of one submission: negative is an errno. */
static inline int submit(struct io_uring_sqe entry) {
    unsigned *tail = (unsigned *)(ring.queue + ring.how.sq_off.tail);
    unsigned mask = *(unsigned *)(ring.queue + ring.how.sq_off.ring_mask);
    unsigned *slots = (unsigned *)(ring.queue + ring.how.sq_off.array);
    ring.entries[*tail & mask] = entry;
    slots[*tail & mask] = *tail & mask;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    unsigned flags = IORING_ENTER_GETEVENTS;
    if (ring.how.flags & IORING_SETUP_SQPOLL) flags |= IORING_ENTER_SQ_WAKEUP;
    if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, flags, 0, 0) < 0) return -errno;
    unsigned *head = (unsigned *)(ring.done + ring.how.cq_off.head);
    unsigned *end = (unsigned *)(ring.done + ring.how.cq_off.tail);
    for (int i = 0; i < 1500 && *head == __atomic_load_n(end, __ATOMIC_ACQUIRE); i++) usleep(1000);
    if (*head == __atomic_load_n(end, __ATOMIC_ACQUIRE)) return -ETIMEDOUT;
    struct io_uring_cqe *all = (struct io_uring_cqe *)(ring.done + ring.how.cq_off.cqes);
    int result = all[*head & *(unsigned *)(ring.done + ring.how.cq_off.ring_mask)].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
}

static inline _Noreturn void ring_connect(unsigned flags) {
    ring_up(flags);
    int fd = opened(AF_INET, SOCK_STREAM, 0);
    struct place to = place(OUT4, 443);
    int result = submit((struct io_uring_sqe){
        .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)&to.at, .off = to.size});
    errno = -result;
    if (result < 0) blocked("connect %s", because());
    result = submit((struct io_uring_sqe){
        .opcode = IORING_OP_SEND, .fd = fd, .addr = (uintptr_t)PAYLOAD, .len = strlen(PAYLOAD)});
    errno = -result;
    if (result < 0) blocked("send %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}
