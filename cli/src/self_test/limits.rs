//! What the system lets this user have: descriptors, processes, message queues, shared memory.

use std::fs;
use std::path::Path;

use tally_sys::{cgroup, limits, process, room};

use super::{Finding, Known};
use crate::show::number::{counted, grouped};

/// Descriptors of the supervisor itself, its store and a few clients.
const OWN_FDS: u64 = 48;
/// Descriptors for each worker, with room for its restart.
const WORKER_FDS: u64 = 8;
/// Clients that may be connected without further thought.
const CLIENTS: u64 = 256;
/// Processes beside the workers: supervisor, forkserver, command.
const OWN_TASKS: u64 = 4;
/// What both queues of a worker take of the user's share, in bytes.
const QUEUE_BYTES: u64 = 24_000;
/// What the segment of a worker takes of /dev/shm, with room for its restart, in bytes.
const SEGMENT_BYTES: u64 = 256 << 10;

pub(super) fn look(known: &Known) -> Vec<Finding> {
    let (_, files) = limits::open_files();
    let mut found = vec![open_files(files, known.workers)];
    // Root is not bound by the first.
    let bound = (process::own_uid() != 0).then(limits::tasks).filter(|most| *most != u64::MAX);
    let own = bound.map(|most| most.saturating_sub(tasks_of_own_user()));
    found.push(processes(own, cgroup::task_room(), known.workers));
    found.push(queues(limits::queue_bytes(), known));
    found.push(match room::at(Path::new("/dev/shm")) {
        Ok(room) => shared_memory(room.free, room.total, known),
        Err(why) => Finding::warn(
            "shared memory",
            format!("could not look at /dev/shm: {}", crate::place::reason(&why)),
            "mount a tmpfs there for the link shm-named; the others need none",
        ),
    });
    found
}

fn open_files(most: u64, workers: u64) -> Finding {
    const NAME: &str = "open files";
    let least = OWN_FDS + WORKER_FDS * workers;
    let text = format!("{}, for {} and their clients", amount(most), counted(workers, "worker"));
    let hint =
        format!("raise 'ulimit -Hn' (LimitNOFILE=) to {} or more", grouped(&(least + CLIENTS).to_string()));
    if most < least {
        Finding::fail(NAME, text, hint)
    } else if most < least + CLIENTS {
        Finding::warn(NAME, text, hint)
    } else {
        Finding::ok(NAME, text)
    }
}

fn processes(own: Option<u64>, group: Option<u64>, workers: u64) -> Finding {
    const NAME: &str = "processes";
    let left = own.into_iter().chain(group).min().unwrap_or(u64::MAX);
    let text = format!("{}, for {}", more(left), counted(workers, "worker"));
    if left < workers + OWN_TASKS {
        let hint = if group.is_some_and(|group| group == left) {
            "raise pids.max of the control group (TasksMax=), or lower 'workers'"
        } else {
            "raise 'ulimit -u' (LimitNPROC=), or lower 'workers'"
        };
        Finding::fail(NAME, text, hint)
    } else {
        Finding::ok(NAME, text)
    }
}

fn queues(bytes: u64, known: &Known) -> Finding {
    const NAME: &str = "message queues";
    let workers = bytes / QUEUE_BYTES;
    let text = format!("{} bytes, enough for {} over the link mqueue", amount(bytes), enough_for(workers));
    if workers >= known.workers {
        return Finding::ok(NAME, text);
    }
    let hint = "raise 'ulimit -q' (LimitMSGQUEUE=); no other link needs them";
    if known.transport == "mqueue" {
        Finding::fail(NAME, text, hint)
    } else {
        Finding::warn(NAME, text, hint)
    }
}

fn shared_memory(free: u64, total: u64, known: &Known) -> Finding {
    const NAME: &str = "shared memory";
    let text = format!("{} of {} KiB free in /dev/shm", amount(free >> 10), amount(total >> 10));
    if free >= SEGMENT_BYTES * known.workers {
        return Finding::ok(NAME, text);
    }
    let hint =
        "free some, or enlarge it: 'mount -o remount,size=64M /dev/shm'; only the link shm-named needs it";
    if known.transport == "shm-named" {
        Finding::fail(NAME, text, hint)
    } else {
        Finding::warn(NAME, text, hint)
    }
}

fn amount(count: u64) -> String {
    if count == u64::MAX { "any number".to_owned() } else { grouped(&count.to_string()) }
}

fn more(count: u64) -> String {
    if count == u64::MAX { "no limit".to_owned() } else { format!("{} more", amount(count)) }
}

fn enough_for(workers: u64) -> String {
    // Without a limit the quotient is no number that means something.
    if workers >= u64::MAX / QUEUE_BYTES {
        "any number of workers".to_owned()
    } else {
        counted(workers, "worker")
    }
}

/// Threads of all processes of this user that can be seen; what ends meanwhile does not count.
fn tasks_of_own_user() -> u64 {
    let own = process::own_uid();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let statuses =
        processes.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let threads = |text: String| {
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        };
        (field("Uid:") == Some(u64::from(own))).then(|| field("Threads:").unwrap_or(1))
    };
    statuses.filter_map(|entry| threads(fs::read_to_string(entry.path().join("status")).ok()?)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::self_test::Level;

    #[test]
    fn limits_are_judged_by_what_the_workers_need() {
        let known = |transport: &str| Known { workers: 8, transport: transport.to_owned() };
        assert_eq!(open_files(64, 8).level, Level::Fail);
        assert_eq!(open_files(200, 8).level, Level::Warn);
        assert_eq!(open_files(u64::MAX, 8).message, "any number, for 8 workers and their clients");
        assert_eq!(open_files(1 << 20, 1).message, "1,048,576, for 1 worker and their clients");
        assert_eq!(processes(Some(5), None, 8).level, Level::Fail);
        assert_eq!(processes(Some(5), None, 1).message, "5 more, for 1 worker");
        assert_eq!(processes(None, None, 2).message, "no limit, for 2 workers");
        assert!(processes(None, Some(3), 8).hint.unwrap().contains("TasksMax="));
        assert_eq!(processes(Some(90), Some(50), 8).level, Level::Ok);
        assert_eq!(queues(819_200, &known("shm")).level, Level::Ok);
        assert_eq!(queues(1_000, &known("shm")).level, Level::Warn);
        assert_eq!(queues(1_000, &known("mqueue")).level, Level::Fail);
        assert_eq!(shared_memory(0, 1 << 20, &known("shm")).level, Level::Warn);
        assert_eq!(shared_memory(0, 1 << 20, &known("shm-named")).level, Level::Fail);
    }

    #[test]
    fn this_very_process_counts() {
        assert!(tasks_of_own_user() >= 1);
    }
}
