/* What the probes share: what they are told (NAME=value words), where "outside" is, and the one line they say:
 * `blocked …`, `leaked …` or `works …`. A leak exits with 10, so that it cannot be taken for anything else. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Addresses of the far network; a sentinel answers `heard` to whatever comes. */
#define OUT4 "45.79.0.1"
#define OUT6 "2606:4700:200::1"
#define LEAK 10

static char **words_told;

static void begin(char **words) {
    words_told = words + 1;
    signal(SIGPIPE, SIG_IGN);
}

/* What the test said of `name`, or the empty string. */
static inline const char *told(const char *name) {
    size_t length = strlen(name);
    for (char **word = words_told; *word; word++)
        if (!strncmp(*word, name, length) && (*word)[length] == '=') return *word + length + 1;
    return "";
}

static void say(const char *verdict, const char *format, va_list values) {
    char line[512];
    int used = snprintf(line, sizeof line, "%s ", verdict);
    used += vsnprintf(line + used, sizeof line - used - 2, format, values);
    if (used > (int)sizeof line - 2) used = sizeof line - 2;
    line[used++] = '\n';
    if (write(1, line, used) != used) _exit(3);
    int file = *told("VERDICT") ? open(told("VERDICT"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (file >= 0 && write(file, line, used) != used) _exit(3);
}

__attribute__((format(printf, 1, 2), unused)) static _Noreturn void leaked(const char *format, ...) {
    va_list values;
    va_start(values, format);
    say("leaked", format, values);
    exit(LEAK);
}

__attribute__((format(printf, 1, 2), unused)) static _Noreturn void blocked(const char *format, ...) {
    va_list values;
    va_start(values, format);
    say("blocked", format, values);
    exit(0);
}

__attribute__((format(printf, 1, 2), unused)) static _Noreturn void works(const char *format, ...) {
    va_list values;
    va_start(values, format);
    say("works", format, values);
    exit(0);
}

static inline const char *because(void) {
    const char *name = strerrorname_np(errno);
    return name ? name : "E?";
}

/* Several tries of one probe: the first that is not refused is the leak, else the reasons are told at the end. */
static char refusals[256];

static inline void tried(const char *what, long result) {
    if (result >= 0) leaked("%s", what);
    size_t used = strlen(refusals);
    snprintf(refusals + used, sizeof refusals - used, "%s%s:%s", used ? " " : "", what, because());
}

struct place {
    struct sockaddr_storage at;
    socklen_t size;
};

static inline struct place place(const char *host, int port) {
    struct place to = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&to.at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to.at;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET, v4->sin_port = htons(port), to.size = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6, v6->sin6_port = htons(port), to.size = sizeof *v6;
    }
    return to;
}

static inline struct place path(const char *name) {
    struct place to = {0};
    struct sockaddr_un *un = (struct sockaddr_un *)&to.at;
    un->sun_family = AF_UNIX;
    strncpy(un->sun_path, name, sizeof un->sun_path - 1);
    to.size = sizeof *un;
    return to;
}

static inline int opened(int family, int type, int protocol) {
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0) blocked("socket %s", because());
    return fd;
}

static inline void dialled(int fd, struct place to) {
    if (connect(fd, (struct sockaddr *)&to.at, to.size)) blocked("connect %s", because());
}

/* Whether something comes back within 1.5 s that says that it was heard. */
static inline int hears(int fd) {
    char answer[512] = {0};
    struct pollfd ready = {fd, POLLIN, 0};
    if (poll(&ready, 1, 1500) <= 0) return errno = ETIMEDOUT, 0;
    ssize_t size = recv(fd, answer, sizeof answer - 1, 0);
    if (size <= 0) {
        if (!size) errno = EPIPE;
        return 0;
    }
    if (memmem(answer, size, "heard", 5)) return 1;
    return errno = EACCES, 0;
}

#define PAYLOAD "exeat probe payload\n"

static inline _Noreturn void converse(int fd) {
    if (send(fd, PAYLOAD, strlen(PAYLOAD), 0) < 0) blocked("send %s", because());
    if (hears(fd)) leaked("answered");
    blocked("no answer %s", because());
}

/* Calls `attack` for every process that is not of this probe: the one the test made, the parent, all in /proc. */
static inline void each_process(void (*attack)(pid_t)) {
    if (*told("VICTIM")) attack(atoi(told("VICTIM")));
    if (*told("CONTROL")) return;
    attack(getppid());
    DIR *all = opendir("/proc");
    for (struct dirent *entry; all && (entry = readdir(all));) {
        pid_t pid = atoi(entry->d_name);
        if (pid > 0 && pid != getpid()) attack(pid);
    }
    if (all) closedir(all);
}
