//! Privileges a long-lived process gives up, for good.
//!
//! Whatever is started afterwards has no more than what is left here.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// What a service of root keeps: to have message queues and open files beyond an ordinary user's bounds; to run a user's
/// own command as that user, and to end it. Being less nice than others is not among them (`--nice` is 0 to 19).
const KEPT: CapabilitySet = CapabilitySet::SYS_RESOURCE
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::KILL);

/// Of these, what is at rest until a process is about to become a user.
const AT_REST: CapabilitySet = CapabilitySet::SETUID.union(CapabilitySet::SETGID);

/// The highest capability there may be.
const CAPABILITIES_MAX: u32 = 63;

/// Gives up all this process does not need as a service, whoever it runs as: new privileges by exec, capabilities but
/// one, memory images on disk, rights for others on files it makes.
///
/// # Errors
/// The first thing that could not be given up, as a fragment after "could not".
pub fn shed() -> Result<(), String> {
    bound_capabilities()?;
    shed_capabilities()?;
    let image = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, image).map_err(|why| format!("forbid memory images: {why}"))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    Ok(())
}

/// The part of [`shed`] that matters to a process that only starts others: `no_new_privs`, without which a program of
/// root's would have all capabilities again, and the capabilities of now.
///
/// # Errors
/// As there.
pub fn shed_capabilities() -> Result<(), String> {
    rustix::thread::set_no_new_privs(true).map_err(|why| format!("forbid new privileges: {why}"))?;
    let sets = capabilities()?;
    // Of the three sets only what is held now can stay: this never adds one.
    let kept = sets.permitted.intersection(KEPT);
    let kept = CapabilitySets {
        effective: sets.effective.intersection(kept).difference(AT_REST),
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    // A service manager may have forbidden the call to those who have nothing to give up.
    if kept == sets {
        return Ok(());
    }
    rustix::thread::set_capabilities(None, kept).map_err(|why| format!("give up capabilities: {why}"))
}

/// Takes what is not kept out of the set that bounds all later programs. Only who may change that set has one worth
/// changing.
fn bound_capabilities() -> Result<(), String> {
    if !capabilities()?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    for capability in (0..=CAPABILITIES_MAX).map(|number| CapabilitySet::from_bits_retain(1 << number)) {
        // Beyond the last one that the kernel knows there is nothing to give up.
        if !KEPT.contains(capability)
            && rustix::thread::capability_is_in_bounding_set(capability).unwrap_or(false)
        {
            rustix::thread::remove_capability_from_bounding_set(capability)
                .map_err(|why| format!("bound its capabilities: {why}"))?;
        }
    }
    Ok(())
}

fn capabilities() -> Result<CapabilitySets, String> {
    rustix::thread::capabilities(None).map_err(|why| format!("learn its own capabilities: {why}"))
}

/// Becomes a user with these groups, for good: without any capability, and with none to be had by an exec. One that is
/// this user already, and may not change that, stays as it is.
///
/// # Errors
/// What the system refused, as a fragment after "could not". This process must not go on then.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> Result<(), String> {
    learn_of_itself();
    rustix::thread::set_no_new_privs(true).map_err(|why| format!("forbid new privileges: {why}"))?;
    let held = capabilities()?;
    if held.permitted.contains(AT_REST) {
        let awake = CapabilitySets { effective: held.effective.union(AT_REST), ..held };
        rustix::thread::set_capabilities(None, awake).map_err(|why| format!("become user {uid}: {why}"))?;
        let groups: Vec<_> = groups.iter().map(|&group| nix::unistd::Gid::from_raw(group)).collect();
        let gid = nix::unistd::Gid::from_raw(gid);
        nix::unistd::setgroups(&groups).map_err(|why| format!("take the groups of user {uid}: {why}"))?;
        nix::unistd::setresgid(gid, gid, gid).map_err(|why| format!("take group {gid}: {why}"))?;
        let user = nix::unistd::Uid::from_raw(uid);
        nix::unistd::setresuid(user, user, user).map_err(|why| format!("become user {uid}: {why}"))?;
    } else if rustix::process::geteuid().as_raw() != uid {
        return Err(format!(
            "become user {uid}: this process is user {}",
            rustix::process::geteuid().as_raw()
        ));
    }
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    if capabilities()? != none {
        rustix::thread::set_capabilities(None, none).map_err(|why| format!("give up capabilities: {why}"))?;
    }
    Ok(())
}

/// The same for one that runs for its own user, and keeps what that user has.
///
/// # Errors
/// As there.
pub fn stay_user() -> Result<(), String> {
    rustix::thread::set_no_new_privs(true).map_err(|why| format!("forbid new privileges: {why}"))
}

/// What the system has told this process at its start is read from `/proc/self` up to Linux 6.3, at the first need of it; and
/// that is root's for a process that has become somebody else. So it is needed before.
fn learn_of_itself() {
    let _page_bytes = rustix::param::page_size();
}

/// Has the system refuse others of the same user a look into this process's memory. Its `/proc` is root's afterwards.
///
/// # Errors
/// The system refuses.
pub fn hide_memory() -> io::Result<()> {
    learn_of_itself();
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
