//! The installed units under a real systemd: start, status, reload, stop, deaths, the socket that stays.
#![forbid(unsafe_code)]

use std::io::Read as _;
use std::process::Stdio;

use tally_sys::clock;
use tally_sys::signal::Signal;
use tally_tests::booted::processes_in;
use tally_tests::{Booted, proc, run, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const SERVICE: &str = "tally.service";

/// Two workers, and a watchdog that barks soon.
const SMALL: &str = "[Service]\nEnvironment=TALLY_WORKERS=2\nWatchdogSec=2\n";

fn micros(booted: &Booted, name: &str) -> u64 {
    booted.property(SERVICE, name).parse().expect("a time")
}

fn main_pid(booted: &Booted) -> u32 {
    booted.property(SERVICE, "MainPID").parse().expect("a pid")
}

/// A process by its pid inside the booted system.
fn strike(booted: &Booted, pid: u32, signal: Signal) {
    booted.must(&["kill", &format!("-{}", signal.raw()), &pid.to_string()]);
}

fn sum(booted: &Booted) {
    assert_eq!(booted.must(&["tally", "sum", "0..1000"]), "499500\n");
}

#[test]
fn the_unit_files_are_right_and_keep_the_daemon_in() {
    let Some(booted) = Booted::new(BINARY) else { return };
    for unit in ["system/tally.service", "system/tally.socket"] {
        let told = booted.run(&["systemd-analyze", "verify", &format!("/usr/lib/systemd/{unit}")]);
        assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("", ""), "{unit}");
    }
    for unit in ["user/tally.service", "user/tally.socket"] {
        let told = booted.run(&[
            "env",
            "XDG_RUNTIME_DIR=/run",
            "systemd-analyze",
            "--user",
            "verify",
            &format!("/usr/lib/systemd/{unit}"),
        ]);
        assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("", ""), "{unit}");
    }
    // In tenths: at most 2.0.
    booted.must(&[
        "systemd-analyze",
        "security",
        "--offline=yes",
        "--threshold=20",
        "/usr/lib/systemd/system/tally.service",
    ]);
}

#[test]
fn it_starts_tells_how_it_is_reloads_and_stops() {
    let Some(booted) = Booted::new(BINARY) else { return };
    booted.drop_in(SMALL);
    booted.must(&["systemctl", "start", "tally.socket", SERVICE]);
    let took =
        micros(&booted, "ActiveEnterTimestampMonotonic") - micros(&booted, "InactiveExitTimestampMonotonic");
    // Told, not measured: the promise is under a second on a machine that has nothing else to do.
    assert!(took < 5_000_000, "active after {took} us");
    report(&format!("active after {took} us"));
    sum(&booted);
    booted.await_property(SERVICE, "StatusText", |text| {
        text.starts_with("2 of 2 workers ready, 0 jobs running")
    });
    // What the unit forbids does not keep workers from being shut in further.
    let workers = booted.must(&["tally", "workers", "--json"]);
    assert!(workers.contains("\"confined\":[\"seccomp\","), "{workers}");
    // Records of its own, with fields, and nothing of the sort of '<6>' in them.
    let record =
        booted.must(&["journalctl", "--no-pager", "-o", "json", "-u", SERVICE, "SYSLOG_IDENTIFIER=tally"]);
    assert!(record.contains("listening on /run/tally/tally.sock"), "{record}");
    assert!(record.contains("\"PRIORITY\":\"6\""), "{record}");

    let pid = main_pid(&booted);
    booted.must(&["systemctl", "reload", SERVICE]);
    assert_eq!((booted.property(SERVICE, "ActiveState").as_str(), main_pid(&booted)), ("active", pid));
    sum(&booted);
    // A worker that dies leaves a record with its slot.
    let worker = *booted
        .processes_of(SERVICE)
        .iter()
        .find(|&&pid| proc::look(pid).is_some_and(|one| one.name == "tally-worker"))
        .expect("a worker");
    run::send(worker, Signal::Kill);
    until("the record of a death", || {
        let told =
            booted.run(&["journalctl", "--no-pager", "-o", "cat", "TALLY_SLOT=0", "+", "TALLY_SLOT=1"]);
        told.stdout.contains("killed by SIGKILL").then_some(())
    });

    // The same under load, with the job.
    let job = booted.must(&["tally", "sum", "0..1e15", "--detach"]);
    let worker = until("a worker at work", || {
        let workers = booted.must(&["tally", "workers", "--json"]);
        let workers: serde_json::Value = serde_json::from_str(&workers).expect("JSON");
        let pid =
            workers["workers"].as_array()?.iter().find(|one| one["job"] == job.trim())?["pid"].as_u64()?;
        u32::try_from(pid).ok()
    });
    strike(&booted, worker, Signal::Kill);
    until("the record of a death at work", || {
        let told =
            booted.run(&["journalctl", "--no-pager", "-o", "cat", &format!("TALLY_JOB={}", job.trim())]);
        told.stdout.contains("killed by SIGKILL").then_some(())
    });
    booted.must(&["systemctl", "reload", SERVICE]);
    assert_eq!(main_pid(&booted), pid);
    booted.must(&["tally", "cancel", job.trim()]);
    // A new binary on the disk takes over; systemd sees the same process, and no stop.
    booted.must(&["cp", "/usr/bin/tally", "/usr/bin/tally.next"]);
    booted.must(&["mv", "/usr/bin/tally.next", "/usr/bin/tally"]);
    booted.must(&["tally", "upgrade"]);
    assert_eq!((booted.property(SERVICE, "ActiveState").as_str(), main_pid(&booted)), ("active", pid));
    assert_eq!(booted.property(SERVICE, "NRestarts"), "0");
    sum(&booted);
    // An attached job goes through a restart.
    let attached =
        booted.command(&["tally", "sum", "0..6e8"]).stdout(Stdio::piped()).spawn().expect("it runs");
    until("a running job", || {
        let status = booted.must(&["tally", "status", "--json"]);
        status.contains("\"running\":1").then_some(())
    });
    booted.must(&["systemctl", "restart", SERVICE]);
    sum(&booted);
    let attached = attached.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&attached.stdout), "179999999700000000\n", "{}", booted.journal());
    booted.must(&["systemctl", "stop", "tally.socket", SERVICE]);
    assert_eq!(booted.property(SERVICE, "Result"), "success");
    assert_eq!(booted.processes_of(SERVICE), [0_u32; 0]);
    assert_eq!(booted.run(&["tally", "status"]).code, Some(3));
}

#[test]
fn a_command_has_a_control_group_of_its_own_and_ends_with_it() {
    let Some(booted) = Booted::new(BINARY) else { return };
    booted.drop_in(SMALL);
    booted.must(&["systemctl", "start", "tally.socket", SERVICE]);
    let status = booted.must(&["tally", "status", "--json"]);
    assert!(status.contains("control groups in /sys/fs/cgroup/system.slice/tally.service, "), "{status}");
    report(&status);
    let breeder = "sh -c 'while read -r line; do setsid env -i sleep 7001 & sleep 7002; done'";
    let submit = || {
        booted
            .must(&[
                "runuser",
                "-u",
                "tally",
                "--",
                "tally",
                "sum",
                "0..1000",
                "--detach",
                "--command",
                breeder,
            ])
            .trim()
            .to_owned()
    };
    let is_sleep = |pid: &u32| proc::look(*pid).is_some_and(|one| one.name == "sleep");
    // Two workers, each with a group in which its two sleeps are.
    let await_brood = || {
        until("the brood", || {
            let groups = booted.groups_of(SERVICE);
            let with_brood: Vec<_> = groups
                .into_iter()
                .filter(|group| processes_in(group).iter().filter(|pid| is_sleep(pid)).count() == 2)
                .collect();
            (with_brood.len() == 2).then_some(with_brood)
        })
    };
    let job = submit();
    let groups = await_brood();
    booted.must(&["tally", "cancel", &job]);
    until("the end of the groups", || groups.iter().all(|group| !group.exists()).then_some(()));
    assert_eq!(booted.processes_of(SERVICE).iter().filter(|pid| is_sleep(pid)).count(), 0);
    sum(&booted);
    // Another program in the same process finds its place again.
    booted.must(&["tally", "upgrade"]);
    let status = booted.must(&["tally", "status", "--json"]);
    assert!(status.contains("control groups in /sys/fs/cgroup/system.slice/tally.service, "), "{status}");
    submit();
    let groups = await_brood();
    booted.must(&["systemctl", "kill", "--kill-who=main", "-s", "KILL", SERVICE]);
    until("the end of the groups", || groups.iter().all(|group| !group.exists()).then_some(()));
    booted.must(&["systemctl", "stop", "tally.socket", SERVICE]);
    assert_eq!(booted.processes_of(SERVICE), [0_u32; 0]);
}

/// The daemon's user can open none of them, and the service sees no home: systemd keeps them open meanwhile.
#[test]
fn jobs_over_files_go_on_over_a_restart() {
    let Some(booted) = Booted::new(BINARY) else { return };
    booted.drop_in(SMALL);
    booted.must(&["systemctl", "start", "tally.socket", SERVICE]);
    // Two endless jobs keep the two workers.
    let long = booted.must(&["tally", "sum", "0..1e15", "--detach", "--priority", "1"]);
    booted.must(&["bash", "-c", "umask 077; (echo n; seq 1 200000) > /root/numbers.csv"]);
    let kept = booted.must(&["tally", "sum", "/root/numbers.csv", "--detach"]);
    let gone = booted.must(&["tally", "max", "/root/numbers.csv", "--detach"]);
    let attached = booted
        .command(&["tally", "sum", "/root/numbers.csv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    until("three queued jobs", || {
        booted.must(&["tally", "status", "--json"]).contains("\"queued\":3").then_some(())
    });
    booted.must(&["rm", "/root/numbers.csv"]);
    booted.must(&["systemctl", "restart", SERVICE]);
    booted.must(&["tally", "upgrade"]);
    let before = main_pid(&booted);
    strike(&booted, before, Signal::Kill);
    booted.await_property(SERVICE, "MainPID", |pid| pid != "0" && pid != before.to_string());
    booted.must(&["systemctl", "restart", SERVICE]);
    booted.must(&["tally", "cancel", long.trim()]);
    for (job, answer) in [(kept, "20000100000\n"), (gone, "200000\n")] {
        booted.must(&["tally", "wait", job.trim()]);
        assert_eq!(booted.must(&["tally", "result", job.trim()]), answer, "{}", booted.journal());
    }
    let attached = attached.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&attached.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&attached.stdout), "20000100000\n", "{told}{}", booted.journal());
    // Nothing is kept of jobs that have ended.
    booted.await_property(SERVICE, "NFileDescriptorStore", |stored| stored == "0");
    booted.must(&["systemctl", "stop", "tally.socket", SERVICE]);
    assert_eq!(booted.property(SERVICE, "Result"), "success");
}

/// With the values that are shipped: neither many starts nor failing ones take the service or its socket down for good.
#[test]
fn no_number_of_starts_is_too_many() {
    let Some(booted) = Booted::new(BINARY) else { return };
    booted.must(&["systemctl", "start", "tally.socket", SERVICE]);
    for _ in 0..12 {
        booted.must(&["systemctl", "restart", SERVICE]);
    }
    sum(&booted);
    booted.must(&["systemctl", "stop", SERVICE]);
    let config = booted.root().join("etc/tally/config.toml");
    std::fs::create_dir_all(config.parent().expect("a directory")).expect("it can be made");
    std::fs::write(&config, "workers = 0\n").expect("it can be written");
    // A client whose daemon does not come up waits in the socket.
    let waiting =
        booted.command(&["tally", "sum", "0..1000"]).stdout(Stdio::piped()).spawn().expect("it runs");
    booted
        .await_property(SERVICE, "NRestarts", |restarts| restarts.parse().is_ok_and(|count: u32| count >= 4));
    assert_eq!(booted.property("tally.socket", "ActiveState"), "active", "{}", booted.journal());
    let errors = booted.must(&["journalctl", "--no-pager", "-o", "cat", "-u", SERVICE, "-p", "err"]);
    assert!(
        errors.contains("tally: could not read the configuration: /etc/tally/config.toml:1:1: "),
        "{errors}"
    );
    std::fs::write(&config, "workers = 2\n").expect("it can be written");
    let waiting = waiting.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&waiting.stdout), "499500\n", "{}", booted.journal());
    // A reload that is refused fails, says so in the status, and changes nothing.
    booted.await_property(SERVICE, "ActiveState", |state| state == "active");
    let pid = main_pid(&booted);
    std::fs::write(&config, "workers = nonsense\n").expect("it can be written");
    assert_eq!(booted.run(&["systemctl", "reload", SERVICE]).code, Some(1), "{}", booted.journal());
    let status = booted.property(SERVICE, "StatusText");
    assert!(status.contains("; could not reload the configuration: /etc/tally/config.toml:1:"), "{status}");
    assert_eq!((booted.property(SERVICE, "ActiveState").as_str(), main_pid(&booted)), ("active", pid));
    sum(&booted);
    std::fs::write(&config, "workers = 1\n").expect("it can be written");
    booted.must(&["systemctl", "reload", SERVICE]);
    booted.await_property(SERVICE, "StatusText", |status| {
        status == "1 of 1 workers ready, 0 jobs running, 0 queued"
    });
    // By the signal it works, too.
    std::fs::write(&config, "workers = 2\n").expect("it can be written");
    strike(&booted, pid, Signal::Hup);
    booted.await_property(SERVICE, "StatusText", |status| status.starts_with("2 of 2 workers"));
    booted.must(&["systemctl", "stop", "tally.socket", SERVICE]);
}

/// A drain may take longer than the deadline of the unit: the daemon asks for more time.
#[test]
fn a_long_drain_is_not_cut_short() {
    let Some(booted) = Booted::new(BINARY) else { return };
    booted.drop_in(
        "[Service]\nEnvironment=TALLY_WORKERS=1 TALLY_DRAIN_MS=6000 TALLY_GRACE_MS=100\nTimeoutStopSec=2\n",
    );
    booted.must(&["systemctl", "start", "tally.socket", SERVICE]);
    let mut endless =
        booted.command(&["tally", "sum", "0..1e15", "--reconnect", "0"]).spawn().expect("it runs");
    until("a running job", || {
        booted.must(&["tally", "status", "--json"]).contains("\"running\":1").then_some(())
    });
    let begun_ns = clock::monotonic_ns();
    booted.must(&["systemctl", "stop", "tally.socket", SERVICE]);
    let took_ns = clock::monotonic_ns() - begun_ns;
    assert_eq!(booted.property(SERVICE, "Result"), "success", "{}", booted.journal());
    assert!(!booted.journal().contains("timed out"), "{}", booted.journal());
    assert!(
        took_ns >= 5_000_000_000,
        "stopped after {took_ns} ns: nothing was drained\n{}",
        booted.journal()
    );
    assert!(!endless.wait().expect("it ends").success());
}

/// The unit of one user, under the manager of that user.
#[test]
fn the_unit_of_a_user_serves_its_user() {
    let Some(booted) = Booted::new(BINARY) else { return };
    booted.must(&["systemctl", "start", "user@0.service"]);
    let user =
        ["env", "XDG_RUNTIME_DIR=/run/user/0", "HOME=/root", "TALLY_SOCKET=/run/user/0/tally/tally.sock"];
    let with = |command: &[&str]| booted.must(&[&user, command].concat());
    with(&["systemctl", "--user", "start", "tally.socket"]);
    assert_eq!(with(&["tally", "sum", "0..1000"]), "499500\n");
    with(&["systemctl", "--user", "reload", SERVICE]);
    let job = with(&["tally", "sum", "0..1000", "--detach"]);
    with(&["tally", "wait", job.trim()]);
    with(&["systemctl", "--user", "restart", SERVICE]);
    assert_eq!(with(&["tally", "result", job.trim()]), "499500\n");
    with(&["systemctl", "--user", "stop", "tally.socket", SERVICE]);
    assert_eq!(booted.run(&[&user[..], &["tally", "status"]].concat()).code, Some(3));
    booted.must(&["systemctl", "stop", "user@0.service"]);
}

#[test]
fn the_socket_starts_it_and_outlives_it() {
    let Some(booted) = Booted::new(BINARY) else { return };
    booted.drop_in(SMALL);
    booted.must(&["systemctl", "start", "tally.socket"]);
    assert_eq!(booted.property(SERVICE, "ActiveState"), "inactive");
    sum(&booted);
    assert_eq!(booted.property(SERVICE, "ActiveState"), "active");
    // Clients come all the while, one after the other; each is answered.
    let mut load = booted
        .command(&[
            "bash",
            "-c",
            "n=0; while [[ ! -e /run/enough ]]; do tally sum 0..1000 || exit 1; n=$((n+1)); done; echo $n",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell runs");
    for _ in 0..3 {
        booted.must(&["systemctl", "restart", SERVICE]);
        sum(&booted);
        booted.must(&["systemctl", "reload", SERVICE]);
    }
    let before = main_pid(&booted);
    strike(&booted, before, Signal::Kill);
    sum(&booted);
    booted.await_property(SERVICE, "MainPID", |pid| pid != "0" && pid != before.to_string());
    std::fs::write(booted.root().join("run/enough"), "").expect("a file can be written");
    let mut errors = String::new();
    load.stderr.take().expect("a pipe").read_to_string(&mut errors).expect("text");
    assert!(load.wait().expect("it ends").success(), "{errors}\n{}", booted.journal());
    // A stopped service starts again with the next client; the socket file was never away.
    booted.must(&["systemctl", "stop", SERVICE]);
    sum(&booted);
}

#[test]
fn a_daemon_that_stands_still_is_started_anew() {
    let Some(booted) = Booted::new(BINARY) else { return };
    booted.drop_in(SMALL);
    booted.must(&["systemctl", "start", "tally.socket", SERVICE]);
    sum(&booted);
    let before = main_pid(&booted);
    // It lives through several times the watchdog's limit while it is well, idle or not.
    strike(&booted, before, Signal::Stop);
    let after = booted.await_property(SERVICE, "MainPID", |pid| pid != "0" && pid != before.to_string());
    booted.await_property(SERVICE, "ActiveState", |state| state == "active");
    assert_eq!(booted.property(SERVICE, "NRestarts"), "1", "{}", booted.journal());
    let journal = booted.must(&["journalctl", "--no-pager", "-o", "cat", "-u", SERVICE]);
    assert!(journal.contains("Watchdog timeout"), "{journal}");
    sum(&booted);
    assert_ne!(after, before.to_string());
}

/// The drop-in that comes with the package: each command runs as its user, and nothing of it stays.
#[test]
fn with_the_drop_in_users_have_commands_of_their_own() {
    let Some(booted) = Booted::new(BINARY) else { return };
    booted.drop_in(include_str!("../systemd/commands.conf"));
    let told = booted.run(&["systemd-analyze", "verify", "/usr/lib/systemd/system/tally.service"]);
    assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("", ""));
    booted.must(&["systemctl", "start", "tally.socket", SERVICE]);
    let as_nobody = |words: &[&str]| {
        let user = ["setpriv", "--reuid", "65534", "--regid", "tally", "--clear-groups", "tally"];
        booted.run(&[&user[..], words].concat())
    };
    let status =
        r#"echo $(id -u) $(grep -E '^(CapPrm|NoNewPrivs)' /proc/self/status) >&2; exit 3; : {start}"#;
    let told = as_nobody(&["sum", "0..4", "--command", status, "--retries", "0"]);
    let is = "stderr: 65534 CapPrm: 0000000000000000 NoNewPrivs: 1";
    assert!(told.code == Some(1) && told.stderr.contains(is), "{told:?}");
    // The store stays the daemon's.
    let told = as_nobody(&[
        "sum",
        "0..4",
        "--command",
        "sh -c 'cat /var/lib/tally/jobs.redb' {start}",
        "--retries",
        "0",
    ]);
    assert!(told.stderr.contains("Permission denied"), "{told:?}");
    let left = "sh -c 'setsid sleep 1000 & echo 1' {start}";
    assert_eq!(as_nobody(&["sum", "0..4", "--partitions", "4", "--command", left]).stdout, "4\n");
    let is_there = || booted.run(&["pgrep", "-x", "sleep"]).code == Some(0);
    until("the end of what the commands had started", || (!is_there()).then_some(()));
    sum(&booted);
}

#[expect(clippy::print_stderr, reason = "a figure for whoever reads")]
fn report(text: &str) {
    eprintln!("{text}");
}
