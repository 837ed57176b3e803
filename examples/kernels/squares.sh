#!/bin/sh
# A kernel that lives on, in plain sh: the sum of the squares of a partition.
#   tally sum 0..10000 --command ./squares.sh
# A line in for each partition, a line out with its partial. `read` takes no more than its line, and `echo` of a shell
# does not keep anything back, so nothing is to be flushed.
while read -r start end partition attempt; do
    sum=0
    i=$start
    while [ "$i" -lt "$end" ]; do
        sum=$((sum + i * i))
        i=$((i + 1))
    done
    echo "$sum"
done
