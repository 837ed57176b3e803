# A process for each partition, in awk: the sum of the squares of a partition.
#   tally sum 0..10000 --command 'awk -f squares.awk {start} {end}'
# Not one that lives on: mawk waits for more input than a line before it answers. Numbers of awk are floats of 64 bits:
# what is beyond 2^53 would be rounded, so it is said to be an error here.
BEGIN {
    start = ARGV[1] + 0
    end = ARGV[2] + 0
    for (i = start; i < end; i++) sum += i * i
    if (sum > 9007199254740992) {
        print "the sum is too large for a float" > "/dev/stderr"
        exit 1
    }
    printf "%.0f\n", sum
}
