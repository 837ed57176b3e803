#!/bin/sh
# A kernel that lives on, in plain sh: the sum of the squares of a partition.
#   tally sum 0..10000 --command ./squares.sh
# A line in for each partition, a line out with its partial. `read` takes no more than its line, and `echo` of a shell
# does not keep anything back, so nothing is to be flushed.
# A shell counts in 64 bits and wraps around, so numbers of more than nine digits are said to be an error here, and a sum
# that has become negative.
refuse() {
    echo "$1 is too large for a shell" >&2
    exit 1
}
while read -r start end partition attempt; do
    for number in "${start#-}" "${end#-}"; do
        [ "${#number}" -le 9 ] || refuse "$number"
    done
    sum=0
    i=$start
    while [ "$i" -lt "$end" ]; do
        sum=$((sum + i * i))
        # A square is less than 2^60 here: a sum that does not fit has just turned negative.
        [ "$sum" -ge 0 ] || refuse "the sum of $start..$end"
        i=$((i + 1))
    done
    echo "$sum"
done
