# Stories of commands in control groups, told by a system that has them. Sourced by init.sh, where nobody manages the groups,
# and by systemd.sh, where systemd does. Who sources it has set:
#   base     the directory of the group that was handed to the daemon
#   daemon   prints the pid of the daemon
#   anew     kills what is there of tally in one moment and has a daemon serve again
#   service_memory, service_tasks   bound the group that was handed to it: a number, or max
#   log      prints what the daemon has logged
#   as_user  runs a command as somebody whose commands the daemon runs
# Each story is a verdict, `ok NAME` or `NOT OK NAME: why`, and what was said in it, indented.

lives_on="sh -c 'while read -r s e p a; do echo \$(( (e - s) * (s + e - 1) / 2 )); done'"
# Leaves its session and its parent, and says nothing for ever.
breeder='sh -c "while read -r line; do setsid sleep 7001 & (setsid sh -c \"sleep 7002 & sleep 7003\" &); sleep 7004; done"'
failed=0

# Ends a story.
die() { echo "    $*"; exit 1; }
say() { sed 's/^/    /' <<< "$*"; }

# story NAME FUNCTION
story() {
    local begun=$SECONDS
    if ("$2") > /run/story 2>&1; then
        echo "ok $1 ($((SECONDS - begun)) s)"
        cat /run/story
    else
        echo "NOT OK $1 ($((SECONDS - begun)) s)"
        cat /run/story
        log | tail -n 12 | sed 's/^/        /'
        failed=1
    fi
    # Whatever became of it, the next one finds nothing of it.
    for job in $(tally jobs --json | grep -o '"job":"j[0-9]*"' | grep -o 'j[0-9]*'); do tally cancel "$job"; done > /dev/null 2>&1
    rm -f /dev/shm/eaten-*
}

# await WHAT COMMAND...: until it succeeds; a minute of patience, and then the story has failed.
await() {
    local what=$1 until=$((SECONDS + 60))
    shift
    until "$@"; do
        ((SECONDS < until)) || die "waited in vain for $what"
        sleep 0.02
    done
}

# fails PATTERN ARGUMENTS...: a command of tally that must end with status 1 and with this in its first line.
fails() {
    local words=$1 told status=0
    shift
    told=$(as_user tally "$@" 2>&1) || status=$?
    say "$(head -n 1 <<< "$told")"
    [[ $status == 1 ]] || die "ended with status $status: $told"
    # shellcheck disable=SC2053
    [[ $(head -n 1 <<< "$told") == *$words* ]] || die "it does not say '$words': $told"
}

# answers WANTED ARGUMENTS...
answers() {
    local wanted=$1 told
    shift
    told=$(as_user tally "$@" 2>&1) || die "$* failed: $told"
    [[ $told == "$wanted" ]] || die "$*: $told, not $wanted"
}

kills() { dmesg | grep -c 'Memory cgroup out of memory: Killed'; }
wards() { find "$base" -mindepth 1 -maxdepth 1 -type d -name 'tally-*'; }
no_wards() { [[ -z $(wards) ]]; }
sleepers() { pgrep -x sleep | while read -r pid; do tr '\0' ' ' < "/proc/$pid/cmdline"; echo; done 2> /dev/null | grep -c 'sleep 700'; }
brood() { [[ $(sleepers) == "$1" ]]; }
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# What others ask for meanwhile: each is answered, at its first attempt.
others() {
    local told
    told=$(as_user tally sum 0..100000 --partitions 50 --json --command "$lives_on") || die "another job failed"
    [[ $told == *'"value":"4999950000"'* && $told == *'"retries":0'* ]] || die "another job was disturbed: $told"
    answers 499500 sum 0..1000
}

# undisturbed PID: the jobs of others that began with the story.
meanwhile() { (for _ in 1 2 3; do others; done) & neighbours=$!; }
undisturbed() { wait "$neighbours" || die "others were disturbed"; }

handed_over() {
    local how
    how=$(tally status --json) || die "no status: $how"
    [[ $how =~ \"commands\":\"([^\"]*)\" ]] || die "no word of it: $how"
    say "${BASH_REMATCH[1]}"
    [[ ${BASH_REMATCH[1]} == "control groups in $base, limits of memory and pids" ]] || die "not that"
}

limits_are_set() {
    local ward job
    job=$(as_user tally sum 0..4 --detach --partitions 1 --memory-limit 64M --max-processes 20 --command "$breeder") || die "$job"
    await "the brood" brood 4
    ward=$(wards)
    say "memory.max $(cat "$ward/memory.max"), memory.swap.max $(cat "$ward/memory.swap.max"), pids.max $(cat "$ward/pids.max")"
    [[ $(cat "$ward/memory.max") == $((96 << 20)) && $(cat "$ward/pids.max") == 28 ]] || die "not 64M and 20, and a little more"
    tally cancel "$job" > /dev/null 2>&1 || die "not cancelled"
    await "the end of the brood" brood 0
    await "the end of the groups" no_wards
}

# What is written to /dev/shm is memory of the group and of no process: only the system can see it, and nothing in tally looks.
# What writes it goes first if it can, and frees something: the shell is to live on. What nibbles is small, and goes when the
# system likes.
eats='(echo 1000 > /proc/self/oom_score_adj; exec dd if=/dev/zero of=/dev/shm/eaten-$$ bs=8M count=40 2> /dev/null); e=$?; rm -f /dev/shm/eaten-$$'
nibbles='dd if=/dev/zero of=/dev/shm/eaten-$$ bs=64k count=5000 2> /dev/null; e=$?; rm -f /dev/shm/eaten-$$'

memory_that_no_process_has() {
    local before
    before=$(kills)
    meanwhile
    fails "at range 5..6: *it ran out of memory (limit 64 MiB)" sum 0..64 --partitions 8 --memory-limit 64M \
        --command "if [ {start} -le 5 ] && [ 5 -lt {end} ]; then $eats; exit \$e; fi; echo \$(({end} - {start}))"
    say "killed by the system: $(($(kills) - before))"
    (($(kills) > before)) || die "the system has killed nobody"
    undisturbed
}

# The shell goes on when what it has started is killed: how its attempt ends then says nothing of memory.
memory_of_what_a_shell_has_started() {
    local once=(sum 0..2 --partitions 1 --retries 0 --memory-limit 64M)
    fails ": it ran out of memory (limit 64 MiB)" "${once[@]}" --command "$eats; : {start}"
    fails ": it ran out of memory (limit 64 MiB)" "${once[@]}" \
        --command "sh -c 'while read -r line; do $eats; echo lost; done'"
}

memory_of_processes_together() {
    meanwhile
    # Each is below the limit.
    fails "it ran out of memory (limit 64 MiB)" sum 0..2 --partitions 1 --retries 0 --memory-limit 64M \
        --command 'for i in 1 2 3 4 5; do perl -e "\$x = q(x) x (45 << 20); sleep 7000" & done; wait; : {start}'
    undisturbed
}

# Its own limit, which is not the group's.
memory_of_one_process() {
    local once=(sum 0..2 --partitions 1 --retries 0 --memory-limit 64M)
    fails "out of memory (limit 64 MiB)" "${once[@]}" --command 'perl -e "\$x = q(x) x (1 << 30)" && echo {start}'
    fails "out of memory (limit 64 MiB)" "${once[@]}" --command 'tail /dev/zero && echo {start}'
}

# None of them is larger than the process of tally's that watches them, which lives on and tells.
memory_of_many_small_ones() {
    local before
    before=$(kills)
    fails ": it ran out of memory (limit 64 MiB)" sum 0..2 --partitions 1 --retries 0 --memory-limit 64M \
        --command "for i in \$(seq 100); do sleep 7001 & done; $nibbles; exit \$e; : {start}"
    say "killed by the system: $(($(kills) - before))"
    await "the end of the sleepers" brood 0
}

# A hostile one that puts itself behind its warden: its death is named all the same.
memory_of_a_hostile_one() {
    fails "killed by SIGKILL: likely out of memory (limit 64 MiB)" sum 0..2 --partitions 1 --retries 0 --memory-limit 64M \
        --command "echo 0 > /proc/self/oom_score_adj; for i in \$(seq 50); do $nibbles & done; wait; sleep 7000; : {start}"
    rm -f /dev/shm/eaten-*
}

# Whoever counts them first: the system refuses one more than there may be, or tally sees too many.
a_fork_bomb() {
    meanwhile
    fails "limit*20" sum 0..4 --partitions 1 --retries 0 --max-processes 20 \
        --command 'for i in $(seq 300); do sleep 7001 & done; wait; : {start}'
    fails "limit*20" sum 0..4 --partitions 1 --retries 0 --max-processes 20 \
        --command "bash -c 'bomb() { bomb | bomb & }; bomb; sleep 7001'; : {start}"
    undisturbed
    await "the end of the sleepers" brood 0
    await "the end of the groups" no_wards
}

a_cancelled_job() {
    local job begun
    job=$(as_user tally sum 0..1000 --detach --command "$breeder") || die "$job"
    await "the brood of two workers" brood 8
    [[ $(wards | wc -l) == 2 ]] || die "not two groups: $(wards)"
    answers 499500 sum 0..1000
    tally cancel "$job" > /dev/null || die "not cancelled"
    begun=$(date +%s%N)
    await "the end of the brood" brood 0
    say "nobody was left $((($(date +%s%N) - begun) / 1000000)) ms after the cancel"
    await "the end of the groups" no_wards
}

a_killed_daemon() {
    local before old job
    job=$(as_user tally sum 0..1000 --detach --partitions 1 --command "$breeder") || die "$job"
    await "the brood" brood 4
    old=$(pgrep -x sleep)
    before=$(daemon)
    # All that could end it are killed in one moment: whoever comes next sees to it.
    anew
    await "another daemon" another "$before"
    gone "$old" || die "another daemon serves, and what the one before had started is still there"
    # The job goes on with another brood.
    tally cancel "$job" > /dev/null 2>&1 || die "not cancelled"
    await "the end of the brood" brood 0
    await "the end of the groups" no_wards
    others
}
# Kills all processes of tally's, none of which does anything between the first blow and the last.
strike_all() {
    echo 1 > "$base/cgroup.freeze"
    await "all to stand still" grep -q 'frozen 1' "$base/cgroup.events"
    pgrep tally | xargs kill -KILL
    echo 0 > "$base/cgroup.freeze"
}
gone() { local pid; for pid in $1; do [[ ! -e /proc/$pid ]] || return 1; done; }
another() { local now; now=$(daemon) && [[ $now != "$1" && $now != 0 ]] && tally ping > /dev/null 2>&1; }

a_small_daemon() {
    local kib
    kib=$(resident_kib "$(daemon)") || die "no daemon"
    say "$kib KiB"
    ((kib < 50 * 1024)) || die "too large"
}

# A limit of the whole service is told as what it is, also where the job has one; the daemon is not who dies.
memory_of_the_whole_service() {
    local before once=(sum 0..2 --partitions 1 --retries 0)
    local eater='perl -e "\$x = q(x) x (400 << 20)"; exit $?; : {start}'
    before=$(daemon)
    service_memory $((200 << 20)) || die "no limit"
    fails "exited with status 137: the service or the system was out of memory" "${once[@]}" --command "$eater"
    fails "exited with status 137: the service or the system was out of memory" "${once[@]}" --memory-limit 4G --command "$eater"
    [[ $(daemon) == "$before" ]] || die "another daemon"
    others
    service_memory max
}

processes_of_the_whole_service() {
    local before told
    before=$(daemon)
    service_tasks 60 || die "no limit"
    told=$(as_user tally sum 0..2 --partitions 1 --retries 0 --max-processes 1000 \
        --command 'perl -e "for (1..200) { my \$pid = fork; sleep 7001 if defined \$pid && !\$pid } sleep 1"; exit 9; : {start}' 2>&1)
    say "$(head -n 1 <<< "$told")"
    service_tasks max
    [[ $told == *"exited with status 9"* ]] || die "$told"
    [[ $(daemon) == "$before" ]] || die "another daemon"
    others
}

all_stories() {
    story "$1: the group was handed over with its limits" handed_over
    story "$1: a job's limits are those of its group" limits_are_set
    story "$1: memory that no process has is the guilty range's" memory_that_no_process_has
    story "$1: memory of processes together" memory_of_processes_together
    story "$1: memory of one process" memory_of_one_process
    story "$1: memory of what a shell has started" memory_of_what_a_shell_has_started
    story "$1: memory of many small ones" memory_of_many_small_ones
    story "$1: memory of a hostile one" memory_of_a_hostile_one
    story "$1: a fork bomb" a_fork_bomb
    story "$1: nothing is left of a cancelled job" a_cancelled_job
    story "$1: nothing is left when all are killed" a_killed_daemon
    story "$1: memory of the whole service" memory_of_the_whole_service
    story "$1: processes of the whole service" processes_of_the_whole_service
    story "$1: a small daemon" a_small_daemon
}
