# A process for each partition, in awk: the sum of the squares of a partition.
#   tally sum 0..10000 --command 'awk -f squares.awk -- {start} {end}'
# Not one that lives on: mawk waits for more input than a line before it answers. Numbers of awk are floats of 64 bits:
# what is beyond 2^53 would be rounded, so it is said to be an error here. A sum is looked at while it grows, and the ends
# before it begins: beyond 2^53 adding one changes nothing.
function refuse(what) {
    print what " is too large for a float" > "/dev/stderr"
    exit 1
}
BEGIN {
    most = 9007199254740992
    start = ARGV[1] + 0
    end = ARGV[2] + 0
    if (start <= -most || end >= most) refuse(start <= -most ? ARGV[1] : ARGV[2])
    for (i = start; i < end; i++) {
        sum += i * i
        if (sum > most) refuse("the sum")
    }
    printf "%.0f\n", sum
}
