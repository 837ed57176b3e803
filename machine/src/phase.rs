//! Where the supervisor itself is in its life, and who may still ask for what.
//!
//! | phase    | new jobs | open jobs       | left by                                                    |
//! |----------|----------|-----------------|------------------------------------------------------------|
//! | Running  | yes      | run             | request to stop or drain → Draining; to stop now → Stopping |
//! | Draining | no       | run to the end  | no open job left, its limit, a second request → Stopping   |
//! | Stopping | no       | none left       | no worker left → Stopped                                   |
//! | Stopped  | no       | none            | nothing: `Action::Exit` has been given                     |

use crate::moment::Moment;

/// The phase of a supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Takes jobs.
    Running,
    /// Takes no new jobs and lets the open ones finish.
    Draining {
        /// When the open ones are given up; never, for a drain that a client asked for.
        until: Option<Moment>,
    },
    /// Every job is over; the workers are being ended.
    Stopping,
    /// Every worker is gone. `Action::Exit` was the last action.
    Stopped,
}

impl Phase {
    /// The word that `status` shows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining { .. } => "draining",
            Self::Stopping | Self::Stopped => "stopping",
        }
    }

    /// Whether a new job may come in.
    #[must_use]
    pub fn admits(self) -> bool {
        match self {
            Self::Running => true,
            Self::Draining { .. } | Self::Stopping | Self::Stopped => false,
        }
    }

    /// Whether leases are given and workers started.
    #[must_use]
    pub(crate) fn works(self) -> bool {
        match self {
            Self::Running | Self::Draining { .. } => true,
            Self::Stopping | Self::Stopped => false,
        }
    }
}
