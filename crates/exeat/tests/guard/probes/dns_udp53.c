/* Questions to a name server of one's own choice. */
#include "dns.h"
int main(int n, char **words) {
    begin(words);
    int code = ask("8.8.8.8", "probe.example.com", 16);
    if (code == 16) leaked("answered from outside");
    int again = ask("8.8.8.8", "probe.example.com", 1);
    if (again == 16) leaked("answered from outside");
    blocked("codes %d %d", code, again);
}
