//! A command that starts processes which leave its session and its parent, and those that it has started.

use crate::proc::Process;
use crate::{Held, World, until};

/// One that says nothing for ever after it has started four sleeps: two at the end of a session of their own.
pub const BREEDER: &str = "sh -c 'while read -r line; do setsid sleep 7001 & (setsid sh -c \"sleep 7002 & sleep 7003\" &); \
                           sleep 7004; done'";

/// Processes of commands: those that are not the program itself.
#[must_use]
pub fn strangers(world: &World) -> Vec<Process> {
    world.processes().into_iter().filter(|one| !one.name.starts_with("tally")).collect()
}

/// Waits until none of them is left.
pub fn await_no_strangers(world: &World) {
    until("the end of what commands started", || strangers(world).is_empty().then_some(()));
}

/// Waits until breeders have all their brood, four sleeps for each of two workers, and holds all of them.
pub fn await_brood(world: &World) -> Held {
    until("the brood", || {
        (strangers(world).iter().filter(|one| one.name == "sleep").count() >= 8).then_some(())
    });
    Held::of(strangers(world).into_iter().map(|one| one.pid))
}
