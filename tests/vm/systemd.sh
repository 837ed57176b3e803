#!/bin/bash
# The stories under systemd, with the units as they are installed: first with commands of the service's own user, then with
# the drop-in that lets everybody bring some.
# shellcheck source=tests/vm/stories.sh
source "$(dirname "$0")/stories.sh"
unit=tally.service
base=/sys/fs/cgroup/system.slice/$unit
export TALLY_SOCKET=/run/tally/tally.sock

daemon() { systemctl show --value -p MainPID "$unit"; }
anew() { strike_all; }
log() { journalctl --no-pager -o cat -u "$unit"; }
service_memory() { systemctl set-property --runtime "$unit" MemoryMax="${1/max/infinity}"; }
service_tasks() { systemctl set-property --runtime "$unit" TasksMax="${1/max/4096}"; }
as_user() { timeout 120 setpriv --reuid "$user" --regid tally --clear-groups "$@"; }

# Puts settings beside the unit's own.
drop_in() { mkdir -p "/run/systemd/system/$unit.d" && cat > "/run/systemd/system/$unit.d/$1.conf" && systemctl daemon-reload; }

it_starts() {
    systemctl start tally.socket "$unit" || die "$(systemctl status "$unit")"
    say "$(systemctl show -p StatusText "$unit")"
    answers 499500 sum 0..1000
}

a_daemon_that_stands_still() {
    local before
    before=$(daemon)
    kill -STOP "$before"
    await "another daemon" another "$before"
    log | grep -m 1 "Watchdog timeout" | sed "s|^|    |"
    [[ $(log) == *"Watchdog timeout"* ]] || die "no word of the watchdog"
}

it_stops() {
    as_user tally sum 0..1000 --detach --command "$breeder" > /dev/null || die "not submitted"
    await "the brood" brood 8
    systemctl stop tally.socket "$unit" || die "not stopped"
    say "$(systemctl show -p Result "$unit")"
    [[ $(systemctl show --value -p Result "$unit") == success ]] || die "not well"
    brood 0 || die "$(sleepers) sleepers are left"
    [[ ! -e $base ]] || die "its group is left"
    [[ -z $(pgrep tally) ]] || die "of tally there is left: $(pgrep -l tally)"
    rm -rf /var/lib/tally/*
    systemctl daemon-reload
}

systemd-sysusers && systemd-tmpfiles --create /usr/lib/tmpfiles.d/tally.conf
printf '[Service]\nEnvironment=TALLY_WORKERS=2\nWatchdogSec=5\n' | drop_in small
for user in tally nobody; do
    [[ $user == tally ]] || drop_in commands < /usr/share/doc/tally/examples/commands.conf
    story "systemd, $user: it starts" it_starts
    all_stories "systemd, $user"
    story "systemd, $user: a daemon that stands still" a_daemon_that_stands_still
    story "systemd, $user: nothing is left of a service that stops" it_stops
done
((failed)) || echo "all is well: systemd"
systemctl poweroff --force --force
