//! Threads share an address space, processes do not; and how children are watched and ended.
//!
//! One variable, written by a thread, by a child process at the very same address, and by a child through a shared
//! segment; what the main process then sees. And: is it alive, join, terminate, a flag that says stop, a daemon child
//! that dies with its parent.

use std::io::Read as _;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tally_sys::process::{arm_parent_death, fork_child, own_pid};
use tally_sys::signal::Signal;
use tally_sys::{fd, futex};

use crate::chart::{Chart, Shape};
use crate::crew::{Crew, Watch};
use crate::place::{GUARDED, MORE, OVER, word};
use crate::race::nap;
use crate::report::{Cell, Report, Table};
use crate::{Error, place};

const PATIENCE: Duration = Duration::from_secs(10);
/// Where the main process's variable begins.
const BEFORE: u32 = 1;

pub(crate) fn run(watch: &mut Watch) -> Result<Report, Error> {
    let (table, seen, memory_claim) = memory(watch)?;
    let (calls, life_claim) = life(watch)?;
    let (lines, daemon_claim) = daemon(watch)?;
    let wrong = "a child process has a copy of the variable, at the same address: what it writes there nobody else \
                 sees. Threads share it, and so have to take care (see 'tally lab race').";
    let cure = "between processes share memory on purpose (a segment, a queue, the daemon's objects); have children die \
                with their parent, and join those you wait for.";
    let (labels, pairs): (Vec<String>, Vec<(u32, u32)>) = seen.into_iter().unzip();
    let (writes, sees) = pairs.into_iter().map(|(writes, sees)| (f64::from(writes), f64::from(sees))).unzip();
    let chart = Chart {
        title: "One variable: what each writes, and what the main process sees then".into(),
        unit: "value of the variable".into(),
        labels,
        series: vec![("writes".into(), writes), ("main sees".into(), sees)],
        shape: Shape::Bars,
    };
    Ok(Report::new("processes")
        .drawn(chart)
        .table(table)
        .table(calls)
        .lines("daemon", "A daemon child dies with its parent", lines)
        .claim(memory_claim && life_claim && daemon_claim)
        .moral(wrong, cure))
}

fn address(of: &AtomicU32) -> String {
    format!("{of:p}")
}

/// Who, what it writes, and what the main process sees then.
type Seen = Vec<(String, (u32, u32))>;

/// Who writes where, and what the main process sees of it.
fn memory(watch: &mut Watch) -> Result<(Table, Seen, bool), Error> {
    let title = "One variable: who writes, at which address, and what the main process sees then";
    let mut table = Table::new("memory", title, &["WHO", "PID", "ADDRESS", "WRITES", "MAIN SEES"]);
    let variable = Arc::new(AtomicU32::new(BEFORE));
    let mut seen = Seen::new();
    let mut row = |who: &str, pid: String, at: String, writes: u32, sees: u32| {
        seen.push((who.to_owned(), (writes, sees)));
        let cells = [who, &pid, &at].map(Cell::text);
        table.row(cells.into_iter().chain([Cell::Count(writes.into()), Cell::Count(sees.into())]).collect());
    };
    let us = own_pid().to_string();
    row("main", us.clone(), address(&variable), BEFORE, BEFORE);

    let theirs = Arc::clone(&variable);
    let thread = std::thread::spawn(move || {
        theirs.store(2, Ordering::SeqCst);
        address(&theirs)
    });
    let at = thread.join().unwrap_or_default();
    let by_thread = variable.load(Ordering::SeqCst);
    let same = at == address(&variable);
    row("a thread", us, at, 2, by_thread);

    let mut crew = Crew::new(watch)?;
    crew.start(|memory| {
        variable.store(3, Ordering::SeqCst);
        let at = u64::try_from(std::ptr::from_ref::<AtomicU32>(&variable).addr()).unwrap_or(0);
        place::reports(memory, 0)[0].store(at, Ordering::SeqCst);
        place::reports(memory, 0)[1].store(variable.load(Ordering::SeqCst).into(), Ordering::SeqCst);
    })?;
    crew.start(|memory| {
        word(memory, GUARDED).store(4, Ordering::SeqCst);
        let at = u64::try_from(std::ptr::from_ref(word(memory, GUARDED)).addr()).unwrap_or(0);
        place::reports(memory, 1)[0].store(at, Ordering::SeqCst);
    })?;
    crew.wait(PATIENCE)?;
    let pid = |at: usize| crew.pid(at).map_or_else(String::new, |pid| pid.to_string());
    let said = |me: u32, at: usize| place::reports(crew.memory(), me)[at].load(Ordering::SeqCst);
    let by_process = variable.load(Ordering::SeqCst);
    row("a child process", pid(0), format!("{:#x}", said(0, 0)), 3, by_process);
    let shared = word(crew.memory(), GUARDED).load(Ordering::SeqCst);
    row("a child, in shared memory", pid(1), format!("{:#x}", said(1, 0)), 4, shared);
    let claim = same
        && by_thread == 2
        && by_process == 2
        && said(0, 1) == 3
        && format!("{:#x}", said(0, 0)) == address(&variable)
        && shared == 4;
    Ok((table, seen, claim))
}

/// Is it alive, join, terminate, stop.
fn life(watch: &mut Watch) -> Result<(Table, bool), Error> {
    let mut table = Table::new("life", "Watching and ending children", &["CALL", "ANSWER"]);
    let mut row = |call: &str, answer: &str| table.row(vec![Cell::text(call), Cell::text(answer)]);
    let mut crew = Crew::new(watch)?;
    // One waits for a word, one works until a flag says stop, one would go on for ever.
    crew.start(|memory| {
        while word(memory, MORE).load(Ordering::SeqCst) == 0 {
            futex::wait(word(memory, MORE), 0, None);
        }
    })?;
    crew.start(|memory| {
        while word(memory, OVER).load(Ordering::SeqCst) == 0 {
            place::progress(memory, 1).fetch_add(1, Ordering::SeqCst);
            nap(Duration::from_millis(1));
        }
    })?;
    crew.start(|_| {
        loop {
            nap(Duration::from_secs(3_600));
        }
    })?;
    let alive = |crew: &Crew<'_>, at: usize| if crew.status(at).is_some() { "no" } else { "yes" };
    let mut claim = alive(&crew, 0) == "yes";
    row("is the first alive?", alive(&crew, 0));
    word(crew.memory(), MORE).store(1, Ordering::SeqCst);
    futex::wake(word(crew.memory(), MORE), 1);
    let how =
        |crew: &Crew<'_>, at: usize| crew.status(at).map_or_else(|| "-".to_owned(), |how| how.to_string());
    crew.wait_until(PATIENCE, |crew| crew.status(0).is_some())?;
    row("wake it and join it", &how(&crew, 0));
    row("is the first alive?", alive(&crew, 0));
    claim &= alive(&crew, 0) == "no";
    crew.wait_until(PATIENCE, |crew| place::progress(crew.memory(), 1).load(Ordering::SeqCst) > 2)?;
    word(crew.memory(), OVER).store(1, Ordering::SeqCst);
    crew.wait_until(PATIENCE, |crew| crew.status(1).is_some())?;
    row("tell the second to stop, and join it", &how(&crew, 1));
    crew.signal(2, Signal::Term);
    crew.wait_until(PATIENCE, |crew| crew.status(2).is_some())?;
    row("terminate the third", &how(&crew, 2));
    claim &= how(&crew, 1) == "exited with status 0" && how(&crew, 2) == "killed by SIGTERM";
    Ok((table, claim))
}

/// A child starts a child of its own that goes on for ever, and ends.
fn daemon(watch: &mut Watch) -> Result<(Vec<String>, bool), Error> {
    let (reader, writer) = fd::pipe().map_err(Error::system("make a pipe"))?;
    let mut crew = Crew::new(watch)?;
    crew.start_with(&[writer.as_fd()], |memory| {
        let main = own_pid();
        let daemon = fork_child(&[writer.as_fd()], || {
            if arm_parent_death(main).is_err() {
                return 1;
            }
            loop {
                nap(Duration::from_secs(3_600));
            }
        });
        let pid = daemon.map_or(0, |daemon| u64::try_from(daemon.pid().raw()).unwrap_or(0));
        place::reports(memory, 0)[0].store(pid, Ordering::SeqCst);
    })?;
    // The daemon alone holds the writer from here on: the end of the pipe is the end of the daemon.
    drop(writer);
    let ended = crew.wait(PATIENCE)?;
    let daemon = place::reports(crew.memory(), 0)[0].load(Ordering::SeqCst);
    let main = crew.pid(0).map_or_else(String::new, |pid| pid.to_string());
    crew.end();
    // It ends at once; should it not, an interrupt still ends the command.
    let gone = std::fs::File::from(reader).read_to_end(&mut Vec::new()).is_ok();
    let lines = vec![
        format!("process {main} starts the daemon child {daemon}, which would run for ever"),
        format!("process {main} {}", if ended { "ends" } else { "does not end" }),
        format!("daemon child {daemon} {}", if gone { "is gone, too" } else { "is still there" }),
    ];
    Ok((lines, ended && gone && daemon != 0))
}
