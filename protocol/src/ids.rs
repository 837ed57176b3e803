//! Identities. Each is its own type, so that a slot can never be taken for a worker.
//!
//! Jobs are shown to people as `j17`; the other ids are plain numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// One worker process, never used again for another.
    WorkerId(u64)
}
id! {
    /// The numbered place a worker fills; outlives its workers. Counts from 0.
    SlotId(u16)
}
id! {
    /// One connection to the control socket.
    ClientId(u64)
}
id! {
    /// One piece of a job's source; unique within the job.
    PartitionId(u64)
}
id! {
    /// Which try of a partition, counting from 1.
    Attempt(u32)
}

/// What a client asked for, with one outcome. Shown as `j17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("j{}", self.0))
    }
}

/// The text is not a job id such as `j17` or `17`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAJobId(pub String);

impl fmt::Display for NotAJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not a job id (they look like j17)", self.0)
    }
}

impl std::error::Error for NotAJobId {}

impl FromStr for JobId {
    type Err = NotAJobId;

    /// Accepts `j17` and `17`.
    fn from_str(text: &str) -> Result<Self, NotAJobId> {
        let digits = text.strip_prefix('j').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAJobId(text.to_owned()));
        }
        digits.parse().map(Self).map_err(|_| NotAJobId(text.to_owned()))
    }
}

/// People and programs that read text see `j17`; frames between supervisor and worker carry the number.
impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_ids_read_back() {
        assert_eq!("j17".parse(), Ok(JobId(17)));
        assert_eq!("17".parse(), Ok(JobId(17)));
        assert_eq!(JobId(17).to_string(), "j17");
        for bad in ["", "j", "j-1", "+3", "k3", "99999999999999999999"] {
            assert!(bad.parse::<JobId>().is_err(), "{bad}");
        }
    }
}
