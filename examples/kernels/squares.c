/* A kernel that lives on, in C: the sum of the squares of a partition.
 *   cc -O2 -o squares squares.c
 *   tally sum 0..10000 --command ./squares
 * The sum is kept in 128 bits. Numbers and sums that do not fit into 64 are refused with a status, never answered wrongly. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int refused(const char *what)
{
    fprintf(stderr, "%s does not fit into 64 bits\n", what);
    return 1;
}

int main(void)
{
    char line[4096];

    while (fgets(line, sizeof line, stdin)) {
        const unsigned __int128 most = 0x7fffffffffffffffLL;
        unsigned __int128 sum = 0;
        char *rest, *after;

        errno = 0; /* scanf would not say that a number is too large */
        long long start = strtoll(line, &rest, 10);
        long long end = strtoll(rest, &after, 10);
        if (errno == ERANGE)
            return refused("a number of the partition");
        if (after == rest) {
            fprintf(stderr, "'%s' is no partition\n", line);
            return 1;
        }
        for (long long i = start; i < end; i++) {
            sum += (unsigned __int128)((__int128)i * i);
            if (sum > most)
                return refused("the sum");
        }
        printf("%lld\n", (long long)sum);
        fflush(stdout); /* a pipe is not a terminal: lines stay in the buffer without this */
    }
    return 0;
}
