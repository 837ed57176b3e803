/* A kernel that lives on, in C: the sum of the squares of a partition.
 *   cc -O2 -o squares squares.c
 *   tally sum 0..10000 --command ./squares
 * The sum is kept in 128 bits; what does not fit into 64 is refused with a status, never answered wrongly. */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    long long start, end, partition, attempt;

    while (scanf("%lld %lld %lld %lld", &start, &end, &partition, &attempt) == 4) {
        unsigned __int128 sum = 0;
        for (long long i = start; i < end; i++)
            sum += (unsigned __int128)((__int128)i * i);
        if (sum > (unsigned __int128)0x7fffffffffffffffLL) {
            fputs("the sum does not fit into 64 bits\n", stderr);
            return 1;
        }
        printf("%lld\n", (long long)sum);
        fflush(stdout); /* a pipe is not a terminal: lines stay in the buffer without this */
    }
    return 0;
}
