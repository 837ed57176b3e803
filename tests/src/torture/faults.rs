//! What the system refuses, or does slowly, while a round goes on.
//!
//! Writes of the store are refused and delayed by a library that is put before the system's (`shim.c`, compiled here);
//! descriptors and memory of the daemon are bounded from outside, by `prlimit`; the wall clock of a daemon is another one
//! at each start (`sys/src/clock.rs`, in test builds). The monotonic clock of a running process cannot be moved.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use super::keeper::Keeper;
use super::plan::Round;
use super::shared::Shared;
use super::talk::pause;
use crate::{Random, World, proc};

/// One kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// None but the strikes.
    None,
    /// ENOSPC: the store cannot write, now and then.
    NoSpace,
    /// EMFILE: the daemon can open nothing more, now and then.
    FewDescriptors,
    /// ENOMEM: the daemon gets no more memory, now and then.
    LittleMemory,
    /// Each write and sync of the store takes its time.
    SlowDisk,
    /// EINTR: signals in bursts.
    Signals,
    /// Each daemon has another wall clock.
    Clock,
}

impl Fault {
    pub(super) const ALL: [Self; 7] = [
        Self::None,
        Self::NoSpace,
        Self::FewDescriptors,
        Self::SlowDisk,
        Self::Signals,
        Self::Clock,
        Self::LittleMemory,
    ];

    /// Whether a command may fail without a strike: the system refused its daemon something.
    pub(super) fn excuses(self, private: bool) -> bool {
        !private && matches!(self, Self::FewDescriptors | Self::LittleMemory)
    }

    /// Whether the daemon may refuse what it otherwise takes.
    pub(super) fn refuses(self) -> bool {
        matches!(self, Self::NoSpace | Self::FewDescriptors | Self::LittleMemory)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no fault",
            Self::NoSpace => "ENOSPC",
            Self::FewDescriptors => "EMFILE",
            Self::LittleMemory => "ENOMEM",
            Self::SlowDisk => "a slow disk",
            Self::Signals => "signals in bursts",
            Self::Clock => "clock jumps",
        })
    }
}

/// The means to inject them.
#[derive(Debug)]
pub(super) struct Faults {
    /// Where the shim is, for as long as the campaign.
    _directory: TempDir,
    shim: Option<PathBuf>,
    prlimit: bool,
}

impl Faults {
    /// Compiles what is compiled.
    pub(super) fn prepare() -> Self {
        let directory = TempDir::with_prefix("tally-torture-").expect("a temporary directory can be made");
        let source = directory.path().join("shim.c");
        fs::write(&source, include_str!("shim.c")).expect("there is room");
        let shim = directory.path().join("shim.so");
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(&source).arg("-ldl");
        let made = gcc.output().is_ok_and(|output| output.status.success());
        let prlimit = Command::new("prlimit").arg("--version").output().is_ok_and(|it| it.status.success());
        Self { _directory: directory, shim: made.then_some(shim), prlimit }
    }

    /// What cannot be injected here, and why.
    pub(super) fn left_out(&self) -> Vec<String> {
        let mut left_out =
            vec!["the monotonic clock was not moved: that of a running process cannot be".to_owned()];
        if self.shim.is_none() {
            left_out.push("neither ENOSPC nor a slow disk: there is no C compiler".to_owned());
        }
        if !self.prlimit {
            left_out.push("neither EMFILE nor ENOMEM: there is no prlimit".to_owned());
        }
        left_out
    }

    fn page(world: &Path) -> PathBuf {
        world.join("page")
    }

    /// Variables of every process of a round with this fault.
    pub(super) fn environment(&self, fault: Fault) -> Vec<(String, String)> {
        match (fault, &self.shim) {
            (Fault::NoSpace | Fault::SlowDisk, Some(shim)) => {
                vec![("LD_PRELOAD".to_owned(), shim.display().to_string())]
            }
            _ => Vec::new(),
        }
    }

    /// The page that the daemon's writes look at; made before it starts.
    pub(super) fn ready(&self, world: &World) -> (String, String) {
        let path = Self::page(world.path());
        fs::write(&path, [0; 16]).expect("there is room");
        ("TALLY_TEST_TORTURE_PAGE".to_owned(), path.display().to_string())
    }

    /// Brings the round's fault and takes it away again until the round is quiet.
    pub(super) fn come_and_go(
        &self,
        world: &World,
        round: &Round,
        keeper: &Keeper<'_>,
        shared: &Arc<Shared>,
    ) {
        let mut random = round.random(&[5]);
        let page = fs::OpenOptions::new().write(true).read(true).open(Self::page(world.path()));
        let page = page.expect("the page was made");
        while !shared.is_quiet() {
            pause(10 + random.below(150));
            match round.fault {
                Fault::NoSpace if self.shim.is_some() => {
                    set(&page, 1, 1);
                    pause(1 + random.below(60));
                    set(&page, 1, 0);
                    shared.count("fault: ENOSPC, times");
                }
                Fault::SlowDisk if self.shim.is_some() => {
                    let delay = u32::try_from(100 + random.below(20_000)).expect("it is small");
                    set(&page, 0, delay);
                    pause(20 + random.below(200));
                    set(&page, 0, 0);
                    shared.count("fault: a slow disk, times");
                }
                Fault::FewDescriptors | Fault::LittleMemory if self.prlimit => {
                    bound(round.fault, keeper.pid(), &mut random, shared);
                }
                _ => {}
            }
        }
        set(&page, 0, 0);
        set(&page, 1, 0);
        shared.count_many("fault: ENOSPC, writes refused", u64::from(get(&page, 3)));
        shared.count_many("fault: a slow disk, writes delayed", u64::from(get(&page, 2)));
    }
}

fn set(page: &fs::File, word: u64, value: u32) {
    page.write_all_at(&value.to_ne_bytes(), word * 4).expect("the page is there");
}

fn get(page: &fs::File, word: u64) -> u32 {
    let mut bytes = [0; 4];
    page.read_exact_at(&mut bytes, word * 4).expect("the page is there");
    u32::from_ne_bytes(bytes)
}

/// Lets a daemon have no more than it has, for a moment.
fn bound(fault: Fault, pid: Option<u32>, random: &mut Random, shared: &Arc<Shared>) {
    let Some(pid) = pid else { return };
    let (name, least, most) = match fault {
        Fault::LittleMemory => {
            let Some(bytes) = proc::mapped_bytes(pid) else { return };
            ("as", bytes + (random.below(4) << 20), "unlimited".to_owned())
        }
        _ => ("nofile", proc::descriptors(pid) as u64 + random.below(4), "20000".to_owned()),
    };
    let set = |value: &str| {
        // The soft limit alone: so that it can be raised again.
        let limit = format!("--{name}={value}:");
        let pid = pid.to_string();
        Command::new("prlimit").args(["--pid", &pid, &limit]).output().is_ok_and(|it| it.status.success())
    };
    if set(&least.to_string()) {
        shared.count(&format!("fault: {fault}, times"));
        pause(1 + random.below(60));
        // It may have ended meanwhile.
        set(&most);
    }
}

/// Milliseconds by which the wall clock of the next daemon is wrong.
pub(super) fn offset_ms(random: &mut Random) -> i64 {
    const DAY: i64 = 86_400_000;
    random.one_of(&[0, 3_600_000, -3_600_000, DAY, -400 * DAY, 400 * DAY, 5_000, -1])
}

/// A daemon's log is shown where something is wrong: its end.
pub(super) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(12);
    let mut shown = Vec::new();
    for line in &lines[from..] {
        writeln!(shown, "    {line}").expect("memory");
    }
    String::from_utf8_lossy(&shown).into_owned()
}
