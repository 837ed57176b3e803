#!/bin/bash
# The stories without systemd: first the daemon of a user to whom a group was handed over, then root's own.
# shellcheck source=tests/vm/stories.sh
source "$(dirname "$0")/stories.sh"
echo 'tally:x:900:900::/nonexistent:/bin/false' >> /etc/passwd
echo 'tally:x:900:' >> /etc/group
top=/sys/fs/cgroup
base=$top/handed/over
mkdir -p "$base"
for above in "$top" "$top/handed"; do echo "+cpu +memory +pids" > "$above/cgroup.subtree_control"; done

daemon() { cat /run/tally/tally.pid 2> /dev/null; }

serves() { tally ping > /dev/null 2>&1; }

# Has a daemon serve in the group; or below it, where the one before has made room.
start() {
    local place=$base
    [[ ! -d $base/daemon ]] || place=$base/daemon
    install -d -o "$owner" -g "$owner" /run/tally /var/lib/tally
    bash -c 'echo $$ > "$0/cgroup.procs" && exec "$@"' "$place" setpriv --reuid "$owner" --regid "$owner" --clear-groups \
        tally daemon --foreground --workers 2 --state-dir /var/lib/tally --socket /run/tally/tally.sock \
        --pid-file /run/tally/tally.pid "${access[@]}" >> /run/daemon.log 2>&1 &
    await "the daemon" serves
}

anew() {
    strike_all
    brood 4 || die "somebody was left who could end the brood: $(sleepers)"
    start
}
log() { cat /run/daemon.log; }
no_tally() { [[ -z $(pgrep tally) ]]; }
it_ends() {
    kill -TERM "$(daemon)" || die "there is none"
    await "the end of all of tally" no_tally
    no_wards || die "groups are left: $(wards)"
}
service_memory() { echo "$1" > "$base/memory.max"; }
service_tasks() { echo "$1" > "$base/pids.max"; }

export TALLY_SOCKET=/run/tally/tally.sock
as_user() { timeout 120 setpriv --reuid "$user" --regid "$group" --clear-groups "$@"; }

owner=tally user=tally group=tally access=()
# What systemd does for Delegate=.
chown tally:tally "$base" "$base"/cgroup.{procs,subtree_control,threads}
start
all_stories "a user's daemon"
story "a user's daemon: nothing is left of it" it_ends

base=$top/handed/root-s
mkdir "$base"
owner=root user=nobody group=nogroup access=(--socket-group nogroup --socket-mode 0660)
rm -rf /run/tally /var/lib/tally
start
all_stories "root's daemon"
story "root's daemon: nothing is left of it" it_ends
((failed)) || echo "all is well: bare"
