//! Settings of who may come in and do what.
//!
//! Texts only are judged here; whether a group exists is for the moment in which it is used.

use super::layers::{BadSetting, Layers};

/// Who may come in and what they may do. The meaning of each is in `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "config.toml is the documentation of each")]
pub struct Access {
    pub socket_mode: u32,
    pub socket_group: Option<String>,
    pub operator_groups: Vec<String>,
    pub reader_groups: Vec<String>,
    pub connections_per_user: usize,
}

/// What `socket_mode` can be: reading and writing are what it takes to connect.
pub(super) fn socket_modes() -> Vec<&'static str> {
    vec!["0600", "0660", "0666"]
}

/// What groups can be.
pub(super) const GROUPS: &str = "none, or names or numbers of groups with commas between";
/// What one group can be.
pub(super) const GROUP: &str = "none, or the name or number of a group";

impl Access {
    /// Reads what the layers hold; each value has been checked when it was added.
    pub(super) fn of(layers: &Layers, connections_per_user: usize) -> Result<Self, BadSetting> {
        let groups = |key| layers.get(key).map(|written| groups(&written.text));
        Ok(Self {
            // A text that is no mode cannot come this far, and would let nobody in.
            socket_mode: u32::from_str_radix(&layers.get("socket_mode")?.text, 8).unwrap_or(0o600),
            socket_group: groups("socket_group")?.into_iter().next(),
            operator_groups: groups("operator_groups")?,
            reader_groups: groups("reader_groups")?,
            connections_per_user,
        })
    }

    /// Whether anybody but its own user may connect.
    #[must_use]
    pub fn serves_others(&self) -> bool {
        self.socket_mode & 0o077 != 0
    }
}

fn groups(text: &str) -> Vec<String> {
    if text == "none" {
        return Vec::new();
    }
    text.split(',').map(|name| name.trim().to_owned()).collect()
}

/// Whether `text` names groups, as far as a name can be judged by its looks.
pub(super) fn check_groups(text: &str) -> Result<(), String> {
    let good = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b":'\"/".contains(&byte))
    };
    match groups(text).iter().find(|name| !good(name)) {
        None => Ok(()),
        Some(name) => Err(format!("'{name}' cannot be a group; it can be {GROUPS}")),
    }
}

/// The same for one.
pub(super) fn check_group(text: &str) -> Result<(), String> {
    if text.contains(',') {
        return Err(format!("it can be {GROUP}"));
    }
    check_groups(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<Access, String> {
        let mut layers = Layers::built_in().unwrap();
        let faults = layers.add_toml(text, "a.toml");
        faults.first().map_or(Ok(()), |fault| Err(fault.to_string()))?;
        Ok(Access::of(&layers, 1).unwrap())
    }

    #[test]
    fn nobody_else_comes_in_unless_it_is_said() {
        let access = with("").unwrap();
        assert_eq!((access.socket_mode, access.serves_others()), (0o600, false));
        assert!(access.socket_group.is_none() && access.operator_groups.is_empty());
    }

    #[test]
    fn modes_and_groups() {
        let access =
            with("socket_mode = \"0660\"\nsocket_group = \"users\"\nreader_groups = \"a, 7\"").unwrap();
        assert_eq!((access.socket_mode, access.serves_others()), (0o660, true));
        assert_eq!(access.socket_group.as_deref(), Some("users"));
        assert_eq!(access.reader_groups, ["a", "7"]);
        for bad in [
            "socket_mode = \"0777\"",
            "socket_mode = 432",
            "reader_groups = \"a,,b\"",
            "socket_group = \"a,b\"",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
