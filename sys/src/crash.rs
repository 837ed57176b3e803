//! Named points at which a test makes a process die. In builds without the feature they are nothing at all.
//!
//! Random kills hit windows of nanoseconds about never, so each step of a worker's send has a point. `TALLY_CRASH_AT`
//! holds the point's name and conditions: `mid-record,partition=3,attempts=1` dies in the middle of a record while
//! partition 3 is sent for the first time. Conditions: `job=N`, `partition=N`, `attempts=N` (only up to this attempt),
//! `workers=N` (only workers numbered up to this), `covers=N` (the lease holds this position),
//! `how=kill|abort|exit|hang` (kill when absent), or one of the things a confined process must not do:
//! `how=open|socket|exec|ptrace|memory`. The last takes memory until there is no more.

#[cfg(feature = "crash-points")]
mod armed {
    use std::cell::Cell;
    use std::io::{self, Write as _};
    use std::sync::OnceLock;

    /// What the process is doing, for the conditions.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Context {
        /// This worker's number.
        pub worker: u64,
        /// The lease it works on.
        pub lease: Option<Lease>,
        /// What it is saying, the first half of a point's name.
        pub saying: &'static str,
    }

    /// One lease, as the conditions name it.
    #[derive(Clone, Copy, Debug)]
    pub struct Lease {
        /// The job.
        pub job: u64,
        /// The partition of that job.
        pub partition: u64,
        /// Which try.
        pub attempt: u32,
        /// First position.
        pub position: u64,
        /// How many positions.
        pub count: u64,
    }

    thread_local! {
        static CONTEXT: Cell<Context> = const { Cell::new(Context { worker: 0, lease: None, saying: "" }) };
    }

    /// Says what the process is doing.
    pub fn context(change: impl FnOnce(&mut Context)) {
        CONTEXT.with(|cell| {
            let mut context = cell.get();
            change(&mut context);
            cell.set(context);
        });
    }

    /// What the process is saying.
    #[must_use]
    pub fn saying() -> &'static str {
        CONTEXT.with(Cell::get).saying
    }

    struct Plan {
        point: String,
        conditions: Vec<(String, String)>,
    }

    fn plan() -> Option<&'static Plan> {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        PLAN.get_or_init(|| {
            let text = std::env::var("TALLY_CRASH_AT").ok()?;
            let mut parts = text.split(',');
            let point = parts.next()?.to_owned();
            let conditions = parts
                .map(|part| part.split_once('=').unwrap_or((part, "")))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            Some(Plan { point, conditions })
        })
        .as_ref()
    }

    impl Plan {
        fn applies(&self, context: Context) -> bool {
            self.conditions.iter().all(|(name, value)| {
                let number = value.parse::<u64>().ok();
                match (name.as_str(), context.lease, number) {
                    ("job", Some(lease), Some(wanted)) => lease.job == wanted,
                    ("partition", Some(lease), Some(wanted)) => lease.partition == wanted,
                    ("attempts", Some(lease), Some(most)) => u64::from(lease.attempt) <= most,
                    ("covers", Some(lease), Some(at)) => {
                        (lease.position..lease.position.saturating_add(lease.count)).contains(&at)
                    }
                    ("workers", _, Some(most)) => context.worker <= most,
                    ("how", _, None) => true,
                    _ => false,
                }
            })
        }

        fn how(&self) -> &str {
            self.conditions.iter().find(|(name, _)| name == "how").map_or("kill", |(_, value)| value)
        }
    }

    /// Tries what a confined process must not do, and says what came of it if it lives.
    fn forbidden(how: &str) -> String {
        let done = match how {
            "open" => std::fs::File::open("/etc/passwd").map(drop),
            "socket" => crate::socket::packet_pair().map(drop),
            "exec" => std::process::Command::new("/bin/true").status().map(drop),
            "ptrace" => nix::sys::ptrace::traceme().map_err(io::Error::from),
            _ => {
                // Bounded, for a process that nothing else bounds.
                let taken: Vec<Vec<u8>> = (0..4096).map(|_| vec![1; 1 << 20]).collect();
                Err(io::Error::other(format!("{} MiB", taken.len())))
            }
        };
        done.map_or_else(|why| why.to_string(), |()| "done".to_owned())
    }

    /// Dies here if the plan says so.
    pub fn point(name: &str) {
        let Some(plan) = plan().filter(|plan| plan.point == name) else { return };
        if !plan.applies(CONTEXT.with(Cell::get)) {
            return;
        }
        let own = rustix::process::getpid();
        match plan.how() {
            // SAFETY: ends the process at once; nothing of it is used afterwards.
            "exit" => unsafe { libc::_exit(3) },
            "abort" => drop(rustix::process::kill_process(own, rustix::process::Signal::ABORT)),
            how @ ("open" | "socket" | "exec" | "ptrace" | "memory") => {
                drop(writeln!(io::stderr(), "{how}: {}", forbidden(how)));
                // SAFETY: as above.
                unsafe { libc::_exit(4) }
            }
            "hang" => drop(rustix::process::kill_process(own, rustix::process::Signal::STOP)),
            _ => drop(rustix::process::kill_process(own, rustix::process::Signal::KILL)),
        }
    }
}

#[cfg(feature = "crash-points")]
pub use armed::{Context, Lease, context, point, saying};

/// Does nothing in this build.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn point(_name: &str) {}
