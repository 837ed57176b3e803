//! Control groups, where a test may make some.

use std::path::PathBuf;

use tally_tests::booted::processes_in;

use super::*;

/// A control group made for a test, removed with all below it.
struct OwnGroup(PathBuf);

impl OwnGroup {
    /// One in the hierarchy of this machine; `None`, told, where none can be made.
    fn new() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mounted = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
        let place =
            PathBuf::from(mounted.and_then(|line| line.split(' ').nth(1)).unwrap_or("/sys/fs/cgroup"));
        let group = Self(place.join(format!("tally-test-kernels-{}", std::process::id())));
        match fs::create_dir(&group.0) {
            Ok(()) if group.0.join("cgroup.kill").exists() => Some(group),
            made => {
                println!("skipped: no control group can be made in {}: {made:?}", place.display());
                None
            }
        }
    }

    /// A daemon in it, as the only one in it.
    fn daemon(&self, world: &World) -> Daemon {
        let text = format!(
            "echo $$ > {}/cgroup.procs && exec \"$TALLY\" daemon --foreground --workers 1 --socket run/tally.sock",
            self.0.display()
        );
        Daemon::over(Running::start(world.script(&text)), world.socket())
    }

    /// The groups below it.
    fn below(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.is_dir()).collect()
    }

    /// The one in which four sleeps are: those of a breeder.
    fn await_brood(&self) -> PathBuf {
        let is_sleep = |pid: &u32| proc::look(*pid).is_some_and(|one| one.name == "sleep");
        until("a group with the brood", || {
            self.below()
                .into_iter()
                .find(|group| processes_in(group).iter().filter(|pid| is_sleep(pid)).count() == 4)
        })
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        self.below().iter().chain([&self.0]).for_each(|group| drop(fs::remove_dir(group)));
    }
}

#[test]
fn commands_run_in_control_groups_where_these_may_be_made() {
    let Some(own) = OwnGroup::new() else { return };
    let world = World::new(BINARY);
    let daemon = own.daemon(&world);
    let status = world.ask(["status", "--json"]).json();
    let how = status["commands"].as_str().expect("it says how").to_owned();
    if !how.starts_with("control groups in ") {
        // A group may be there that is not this daemon's: under a systemd, or above a container.
        println!("skipped: it was not handed to the daemon: {how}");
        daemon.stop();
        return world.finish();
    }
    let job = detach(&world, &["sum", "0..1000"], BREEDER);
    let group = own.await_brood();
    assert_eq!(world.ask(["cancel", &job]).code(), 0);
    await_no_strangers(&world);
    until("the end of the group", || (!group.exists()).then_some(()));
    // All that could end it are gone in one moment: the next daemon sees to that.
    detach(&world, &["sum", "0..1000"], BREEDER);
    let group = own.await_brood();
    let struck: Vec<_> = ["tally-warden", "tally-guard"].iter().flat_map(|name| world.named(name)).collect();
    daemon.signal(Signal::Stop);
    struck.iter().for_each(|one| send(one.pid, Signal::Stop));
    daemon.signal(Signal::Kill);
    // What is killed takes others with it.
    struck.iter().for_each(|one| send_if_there(one.pid, Signal::Kill));
    assert_eq!(daemon.finish().code(), 137);
    assert_ne!(strangers(&world), [], "nobody was left who could end them");
    let left = processes_in(&group);
    let daemon = own.daemon(&world);
    assert!(left.iter().all(|&pid| proc::look(pid).is_none()), "it ends them before it serves anybody");
    let job = world.ask(["jobs", "--json"]);
    assert_eq!(job.code(), 0, "{}", job.stderr);
    assert_eq!(world.ask(["cancel", "--all"]).code(), 0);
    await_no_strangers(&world);
    daemon.stop();
    world.finish();
}
