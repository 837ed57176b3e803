//! What the options of a kernel of one's own mean: a command with the directory, the environment and the umask of this
//! process.

use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;

use tally_protocol::command::{CommandRequest, Feed};
use tally_protocol::error::Failure;

use super::bad;
use crate::args::kernel::KernelArgs;
use crate::args::values;
use crate::place;

/// The command, if there is one.
pub(super) fn command(args: KernelArgs) -> Result<Option<Arc<CommandRequest>>, Failure> {
    let Some(line) = args.command else { return Ok(None) };
    let cpu_limit_s = args.cpu_limit.map(whole_seconds).transpose()?;
    let cpus = args.cpus.map(|cpus| cpus.0).unwrap_or_default();
    let there = if cpus.is_empty() { None } else { online() };
    if let Some(absent) = cpus.iter().find(|cpu| there.as_ref().is_some_and(|there| !there.contains(cpu))) {
        return Err(bad(format!(
            "could not run the command on processor {absent}: there is none of that number"
        )));
    }
    let mut request = CommandRequest {
        line: Some(line),
        feed: feed(args.lines, args.files),
        directory: Some(directory(args.chdir)?),
        umask: args.umask.or_else(own_umask),
        accept_status: args.accept_status,
        partition_timeout_ms: args.partition_timeout,
        recycle_after: args.recycle_after,
        recycle_bytes: args.recycle_memory,
        cpu_limit_s,
        files_max: args.max_files,
        processes_max: args.max_processes,
        cpus,
        ..CommandRequest::default()
    };
    request.set_variables(environment(args.env));
    Ok(Some(Arc::new(request)))
}

/// The system counts processor time in whole seconds.
fn whole_seconds(ms: u64) -> Result<u64, Failure> {
    if ms.is_multiple_of(1_000) {
        return Ok(ms / 1_000);
    }
    Err(bad(format!("could not limit processor time to {ms} ms: --cpu-limit is in whole seconds, as in 2s")))
}

/// The processors that there are, if the system says so.
fn online() -> Option<Vec<u16>> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    values::cpus(text.trim()).ok().map(|cpus| cpus.0)
}

fn feed(lines: bool, files: bool) -> Option<Feed> {
    match (lines, files) {
        (true, _) => Some(Feed::Lines),
        (false, true) => Some(Feed::Files),
        (false, false) => None,
    }
}

fn directory(chosen: Option<std::path::PathBuf>) -> Result<String, Failure> {
    let whole = match chosen {
        Some(path) => std::path::absolute(path),
        None => std::env::current_dir(),
    };
    let path = whole
        .map_err(|why| bad(format!("could not run the command: your directory: {}", place::reason(&why))))?;
    path.into_os_string()
        .into_string()
        .map_err(|path| bad(format!("could not run the command in {}: its name is no text", path.display())))
}

/// This process's variables and those given.
fn environment(given: Vec<String>) -> Vec<Vec<u8>> {
    let name = |one: &str| one.split('=').next().unwrap_or("").to_owned();
    let names: Vec<String> = given.iter().map(|one| name(one)).collect();
    let own = std::env::vars_os().map(|(key, value)| (key.into_vec(), value.into_vec()));
    let own = own.filter(|(key, _)| {
        !key.is_empty() && !key.contains(&b'=') && !names.iter().any(|name| name.as_bytes() == key.as_slice())
    });
    let own = own.map(|(key, value)| [key, b"=".to_vec(), value].concat());
    own.chain(given.into_iter().map(String::into_bytes)).collect()
}

/// The umask, which can be asked for in `/proc` only without changing it.
fn own_umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(mask.trim(), 8).ok()
}
