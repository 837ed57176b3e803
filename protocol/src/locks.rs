//! Named locks and semaphores: what clients ask for, and what they are answered.
//!
//! `LockRequest::from_call` checks everything but whether the lock is free. Who asks (`Asker`) is filled in by whoever
//! accepted the connection, never by the client; the command line is what the client says of itself, a text for people.

pub mod handover;
pub mod view;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::control::{BadCall, read};
use crate::error::{ErrorCode, Failure};
use crate::limits;
use crate::printable;
use view::{DeadlockView, GrantView, InversionView, LockView};

/// The two kinds of things that can be held by name. Each has its own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockKind {
    /// Held by one, or shared by several.
    Lock,
    /// A number of permits.
    Semaphore,
}

impl LockKind {
    /// The word that people read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Semaphore => "semaphore",
        }
    }
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is asked of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// The lock, alone.
    Exclusive,
    /// The lock, beside others who share it.
    Shared,
    /// Permits of a semaphore.
    Permits {
        /// How many the semaphore has in all.
        of: u32,
        /// How many of them, 1 to `of`.
        take: u32,
    },
}

impl Want {
    /// Whether it is about a lock or about a semaphore.
    #[must_use]
    pub fn kind(self) -> LockKind {
        match self {
            Self::Exclusive | Self::Shared => LockKind::Lock,
            Self::Permits { .. } => LockKind::Semaphore,
        }
    }
}

/// How long a client waits for what is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all: it hears at once that somebody else has it.
    None,
    /// As long as it takes.
    Endless,
    /// So many milliseconds.
    Ms(u64),
}

/// A secret by which a connection is recognised: who knows it was started under what that connection holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockToken(pub u128);

impl fmt::Display for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A secret is in no log and in no dump.
impl fmt::Debug for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockToken")
    }
}

impl FromStr for LockToken {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let fits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = if fits { u128::from_str_radix(text, 16).ok() } else { None };
        number.map(Self).ok_or("a token is 32 hexadecimal digits")
    }
}

impl Serialize for LockToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LockToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Who asks, as far as the system knows. Not used in any decision but for the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// The process that connected, where it can be seen from here.
    pub pid: Option<u32>,
    /// Its name, for those that don't say their command line.
    pub name: Option<String>,
    /// The token that the connection gets if it has none.
    pub token: Option<LockToken>,
}

/// A request for a lock or for permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquire {
    /// Of what.
    pub name: String,
    /// How much of it.
    pub want: Want,
    /// How long to wait.
    pub patience: Patience,
    /// It is given back after so many milliseconds, whoever has it then.
    pub ttl_ms: Option<u64>,
    /// The token of the connection under whose lock the asker was started.
    pub within: Option<LockToken>,
    /// What the asker says it runs; cut and cleaned.
    pub command: Option<String>,
    /// Filled in where the connection was accepted.
    pub asker: Asker,
}

impl Acquire {
    /// The lock of this name, for as long as it takes.
    #[must_use]
    pub fn new(name: impl Into<String>, want: Want) -> Self {
        Self {
            name: name.into(),
            want,
            patience: Patience::Endless,
            ttl_ms: None,
            within: None,
            command: None,
            asker: Asker::default(),
        }
    }
}

/// What a client asks about locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockRequest {
    /// To hold something until it is released or the connection ends.
    Acquire(Box<Acquire>),
    /// To give back what it got under this number.
    Release {
        /// The fencing number of the grant.
        fence: u64,
    },
    /// Who holds what, and who waits.
    Locks,
    /// The last deadlocks that were refused.
    Deadlocks,
}

/// What the machine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockReply {
    /// To `Acquire`.
    Granted(GrantView),
    /// To `Release`.
    Released,
    /// To `Locks`.
    Locks {
        /// All that are held, by name.
        locks: Vec<LockView>,
        /// Orders of taking that contradict each other.
        inversions: Vec<InversionView>,
    },
    /// To `Deadlocks`: the oldest first.
    Deadlocks(Vec<DeadlockView>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcquireCall {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shared: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permits: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    take: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonblock: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<LockToken>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseCall {
    fence: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl LockRequest {
    /// Its methods of `io.tally`.
    pub const METHODS: [&'static str; 4] = ["Acquire", "Release", "Locks", "Deadlocks"];

    /// Parses a call of one of its methods.
    pub(crate) fn from_call(method: &str, parameters: Map<String, Value>) -> Result<Self, BadCall> {
        match method {
            "Acquire" => {
                let acquire = read::<AcquireCall>(parameters)?.check().map_err(BadCall::Meaning)?;
                Ok(Self::Acquire(Box::new(acquire)))
            }
            "Release" => read::<ReleaseCall>(parameters).map(|one| Self::Release { fence: one.fence }),
            "Locks" => read::<Nothing>(parameters).map(|_| Self::Locks),
            "Deadlocks" => read::<Nothing>(parameters).map(|_| Self::Deadlocks),
            _ => Err(BadCall::Method(format!("io.tally.{method}"))),
        }
    }

    /// The method and the parameters that say it.
    pub(crate) fn to_call(&self) -> (&'static str, Value) {
        match self {
            Self::Acquire(acquire) => ("Acquire", json!(AcquireCall::of(acquire))),
            Self::Release { fence } => ("Release", json!(ReleaseCall { fence: *fence })),
            Self::Locks => ("Locks", json!({})),
            Self::Deadlocks => ("Deadlocks", json!({})),
        }
    }
}

impl LockReply {
    /// The parameters that say it.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Granted(grant) => json!({ "grant": grant }),
            Self::Released => json!({}),
            Self::Locks { locks, inversions } if inversions.is_empty() => json!({ "locks": locks }),
            Self::Locks { locks, inversions } => json!({ "locks": locks, "inversions": inversions }),
            Self::Deadlocks(deadlocks) => json!({ "deadlocks": deadlocks }),
        }
    }
}

impl AcquireCall {
    fn of(acquire: &Acquire) -> Self {
        let (permits, take) = match acquire.want {
            Want::Exclusive | Want::Shared => (None, None),
            Want::Permits { of, take } => (Some(of), Some(take)),
        };
        Self {
            name: acquire.name.clone(),
            shared: (acquire.want == Want::Shared).then_some(true),
            permits,
            take,
            nonblock: (acquire.patience == Patience::None).then_some(true),
            timeout_ms: match acquire.patience {
                Patience::Ms(ms) => Some(ms),
                Patience::None | Patience::Endless => None,
            },
            ttl_ms: acquire.ttl_ms,
            within: acquire.within,
            command: acquire.command.clone(),
        }
    }

    fn check(self) -> Result<Acquire, Failure> {
        let want = match (self.permits, self.shared.unwrap_or(false), self.take) {
            (None, false, None) => Want::Exclusive,
            (None, true, None) => Want::Shared,
            (None, _, Some(_)) => return Err(bad("take", "only a semaphore has permits to take")),
            (Some(_), true, _) => return Err(bad("shared", "a semaphore is not shared, it has permits")),
            (Some(of), false, take) => Want::Permits { of, take: take.unwrap_or(1) },
        };
        check_name(&self.name).map_err(|why| bad("name", why))?;
        check_permits(want)?;
        let patience = match (self.nonblock.unwrap_or(false), self.timeout_ms) {
            (true, None) => Patience::None,
            (true, Some(_)) => return Err(bad("timeout_ms", "who does not wait needs none")),
            (false, None) => Patience::Endless,
            (false, Some(ms)) => Patience::Ms(ms),
        };
        for (key, ms) in [("timeout_ms", self.timeout_ms), ("ttl_ms", self.ttl_ms)] {
            if ms.is_some_and(|ms| ms == 0 || ms > limits::TIMEOUT_MS_MAX) {
                return Err(bad(key, &format!("it can be 1 to {}", limits::TIMEOUT_MS_MAX)));
            }
        }
        Ok(Acquire {
            name: self.name,
            want,
            patience,
            ttl_ms: self.ttl_ms,
            within: self.within,
            command: self.command.map(|text| shown_command(&text)).filter(|text| !text.is_empty()),
            asker: Asker::default(),
        })
    }
}

/// Whether a name can be one.
///
/// # Errors
/// Why not, as the end of a sentence.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    const LENGTH: &str = "a name has 1 to 255 bytes";
    const { assert!(limits::LOCK_NAME_BYTES_MAX == 255, "the text says so") };
    if name.is_empty() || name.len() > limits::LOCK_NAME_BYTES_MAX {
        return Err(LENGTH);
    }
    if name.chars().any(char::is_control) {
        return Err("a name has no control characters");
    }
    if name.chars().any(printable::steers) {
        return Err("a name has no marks that turn the direction of writing");
    }
    if name.trim() != name {
        return Err("a name neither begins nor ends with a space");
    }
    Ok(())
}

fn check_permits(want: Want) -> Result<(), Failure> {
    let Want::Permits { of, take } = want else { return Ok(()) };
    if of == 0 || of > limits::SEMAPHORE_PERMITS_MAX {
        return Err(bad("permits", &format!("it can be 1 to {}", limits::SEMAPHORE_PERMITS_MAX)));
    }
    if take == 0 || take > of {
        return Err(bad("take", &format!("it can be 1 to the {of} permits there are")));
    }
    Ok(())
}

fn bad(what: &str, why: &str) -> Failure {
    Failure::new(ErrorCode::BadUsage, format!("could not read {what}: {why}"))
}

/// A command line as it is shown to others: one line without control characters, cut when it is long.
#[must_use]
pub fn shown_command(text: &str) -> String {
    let mut out = String::new();
    for letter in text.trim().chars() {
        let letter = if printable::steers(letter) { ' ' } else { letter };
        if out.len() + letter.len_utf8() > limits::COMMAND_TEXT_BYTES_MAX {
            out.push_str("...");
            break;
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Request;
    use crate::varlink::Call;

    fn call(parameters: Value) -> Result<Request, BadCall> {
        let Value::Object(parameters) = parameters else { unreachable!("a test passes objects") };
        Request::from_call(Call { method: "io.tally.Acquire".into(), parameters, ..Call::default() })
    }

    #[test]
    fn every_request_survives_the_wire() {
        let acquire = |want| Acquire {
            patience: Patience::Ms(5),
            ttl_ms: Some(7),
            within: Some(LockToken(12)),
            command: Some("sh -c x".into()),
            ..Acquire::new("a b", want)
        };
        let requests = [
            LockRequest::Acquire(Box::new(acquire(Want::Exclusive))),
            LockRequest::Acquire(Box::new(acquire(Want::Shared))),
            LockRequest::Acquire(Box::new(acquire(Want::Permits { of: 3, take: 2 }))),
            LockRequest::Acquire(Box::new(Acquire {
                patience: Patience::None,
                ..Acquire::new("x", Want::Exclusive)
            })),
            LockRequest::Release { fence: 9 },
            LockRequest::Locks,
            LockRequest::Deadlocks,
        ];
        for request in requests {
            let request = Request::Lock(request);
            let call = request.to_call(false);
            let name = call.method.strip_prefix("io.tally.").unwrap().to_owned();
            assert!(LockRequest::METHODS.contains(&name.as_str()));
            assert!(crate::control::INTERFACE.contains(&format!("method {name}(")), "{name}");
            assert_eq!(Request::from_call(call), Ok(request));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_name() {
        let long = "x".repeat(256);
        for (parameters, what) in [
            (json!({ "name": "" }), "name"),
            (json!({ "name": long }), "name"),
            (json!({ "name": "a\nb" }), "name"),
            (json!({ "name": " a" }), "name"),
            (json!({ "name": "a", "take": 1 }), "take"),
            (json!({ "name": "a", "permits": 2, "take": 3 }), "take"),
            (json!({ "name": "a", "permits": 2, "take": 0 }), "take"),
            (json!({ "name": "a", "permits": 0 }), "permits"),
            (json!({ "name": "a", "permits": 2_000_000 }), "permits"),
            (json!({ "name": "a", "permits": 2, "shared": true }), "shared"),
            (json!({ "name": "a", "nonblock": true, "timeout_ms": 5 }), "timeout_ms"),
            (json!({ "name": "a", "timeout_ms": 0 }), "timeout_ms"),
            (json!({ "name": "a", "ttl_ms": 0 }), "ttl_ms"),
        ] {
            let told = parameters.to_string();
            let Err(BadCall::Meaning(failure)) = call(parameters) else { panic!("{told} was taken") };
            assert!(failure.message.starts_with(&format!("could not read {what}: ")), "{told}: {failure}");
            assert_eq!(failure.exit, 2);
        }
        let parameter = |name: &str| Err(BadCall::Parameter(name.to_owned()));
        assert_eq!(call(json!({})), parameter("name"));
        assert_eq!(call(json!({ "name": "a", "x": 1 })), parameter("x"));
    }

    #[test]
    fn tokens_read_back_and_are_secret() {
        let token = LockToken(0x0123_4567_89ab_cdef);
        assert_eq!(token.to_string().parse(), Ok(token));
        assert_eq!(format!("{token:?}"), "LockToken");
        for bad in ["", "12", &"g".repeat(32), &"+1".repeat(16), &"1".repeat(33)] {
            assert!(bad.parse::<LockToken>().is_err(), "{bad}");
        }
    }

    #[test]
    fn commands_are_one_short_line() {
        assert_eq!(shown_command(" sh -c 'a\nb\u{1b}' "), "sh -c 'a b '");
        let long = shown_command(&"ä".repeat(1_000));
        assert!(long.ends_with("...") && long.len() <= limits::COMMAND_TEXT_BYTES_MAX + 3);
    }
}
