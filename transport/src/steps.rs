//! The steps of a worker's send, as places where a test can stop the worker.
//!
//! Without the feature `crash-points` this is nothing at all. A frame is handed over in the one
//! instant between [`Step::BeforeCommit`] and [`Step::BeforeBell`]: a worker that dies at the first
//! has sent nothing of it, one that dies at the second has sent it whole.

/// A step of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `send` was called; nothing is written.
    BeforeRecord,
    /// The frame is written where the supervisor does not look yet.
    BeforeCommit,
    /// The frame is the supervisor's; it has not been woken. On a link whose commit wakes the
    /// supervisor by itself, as a pipe's does, it has.
    BeforeBell,
    /// The supervisor has been woken, if that was needed.
    AfterBell,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::BeforeRecord, Self::BeforeCommit, Self::BeforeBell, Self::AfterBell];

    /// Its name, as a setting may spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeRecord => "before-record",
            Self::BeforeCommit => "before-commit",
            Self::BeforeBell => "before-bell",
            Self::AfterBell => "after-bell",
        }
    }

    /// The step of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// Calls `hook` at every step of every send of this thread from now on.
#[cfg(feature = "crash-points")]
pub fn on_step(hook: impl Fn(Step) + 'static) {
    HOOK.set(Some(Box::new(hook)));
}

#[cfg(feature = "crash-points")]
type Hook = Box<dyn Fn(Step)>;

#[cfg(feature = "crash-points")]
thread_local! {
    static HOOK: std::cell::RefCell<Option<Hook>> = const { std::cell::RefCell::new(None) };
}

/// A worker's end has got that far.
#[cfg(feature = "crash-points")]
pub(crate) fn reached(step: Step) {
    HOOK.with_borrow(|hook| {
        if let Some(hook) = hook {
            hook(step);
        }
    });
}

/// A worker's end has got that far.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn reached(_: Step) {}
