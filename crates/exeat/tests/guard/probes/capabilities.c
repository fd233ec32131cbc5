/* Whether anything is left of the rights that made the jail, or can be had again. */
#include "probe.h"
int main(int n, char **words) {
    begin(words);
    FILE *status = fopen("/proc/self/status", "r");
    if (!status) blocked("no status");
    char line[256];
    unsigned long long held = 0, bounds = 0, value;
    int privileges = 1;
    while (fgets(line, sizeof line, status)) {
        if (sscanf(line, "CapEff: %llx", &value) == 1 || sscanf(line, "CapPrm: %llx", &value) == 1 ||
            sscanf(line, "CapAmb: %llx", &value) == 1)
            held |= value;
        sscanf(line, "CapBnd: %llx", &bounds);
        sscanf(line, "NoNewPrivs: %d", &privileges);
    }
    if (held) leaked("capabilities are left");
    /* Who has no privilege cannot lower the bounds of it. */
    if (bounds && !strcmp(told("RUNG"), "A")) leaked("capabilities are left to be had");
    if (!privileges) leaked("new privileges can be had");
    blocked("none are left");
}
