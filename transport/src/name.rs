//! The names of what cannot be without one: segments, queues for a moment, directories.
//!
//! A name says whose it is, so that a later supervisor can tell leftovers from what is in use:
//! `tally-USER-NAMESPACE-PID-STARTED-TAG`.

use std::io;

use tally_sys::identity::Identity;

const PREFIX: &str = "tally";

/// A name of this process for the link with that tag.
pub(crate) fn own(tag: &str) -> io::Result<String> {
    let Identity { user, namespace, pid, started } = Identity::own()?;
    Ok(format!("{PREFIX}-{user}-{namespace}-{pid}-{started}-{tag}"))
}

/// Whose name that is, if it is one of ours.
pub(crate) fn owner(name: &str) -> Option<Identity> {
    let mut parts = name.splitn(6, '-');
    if parts.next() != Some(PREFIX) {
        return None;
    }
    let user = number(parts.next()?)?;
    let namespace = number(parts.next()?)?;
    let pid = number(parts.next()?)?;
    let started = number(parts.next()?)?;
    parts.next().filter(|tag| !tag.is_empty())?;
    Some(Identity { user: u32::try_from(user).ok()?, namespace, pid: u32::try_from(pid).ok()?, started })
}

/// A number as we write it, and in no other way.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        let name = own("worker-7").unwrap();
        assert_eq!(owner(&name), Some(Identity::own().unwrap()));
    }

    #[test]
    fn other_names_have_no_owner() {
        for name in [
            "",
            "tally",
            "tally-0-1-2-3",
            "tally-0-1-2-3-",
            "tally-0-1-2-+3-x",
            "tally-0-1-02-3-x",
            "tally-0-1-2-x-x",
            "tally-4294967296-1-2-3-x",
            "rally-0-1-2-3-x",
            "tally-sys-test-1-x-y-z",
        ] {
            assert_eq!(owner(name), None, "{name:?}");
        }
    }
}
