//! Why a study has no report.

use std::fmt;
use std::io;

use tally_sys::signal::Signal;

/// Why a study has no report. Its text fits after "could not".
#[derive(Debug)]
pub enum Error {
    /// An option that the study has no use for, or a value out of range.
    BadOption(String),
    /// Somebody wants it to end.
    Interrupted(Signal),
    /// The system refused something.
    System(&'static str, io::Error),
}

impl Error {
    /// The system refused to do this.
    pub(crate) fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |why| Self::System(doing, why)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadOption(why) => f.write_str(why),
            Self::Interrupted(signal) => write!(f, "finish: interrupted by {signal}"),
            Self::System(doing, why) => write!(f, "{doing}: {why}"),
        }
    }
}

impl std::error::Error for Error {}
