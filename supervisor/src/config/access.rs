//! Settings of who may come in and do what, and of what workers may.
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
}

impl Access {
    /// Parses what the layers hold.
    pub(super) fn of(layers: &Layers) -> Result<Self, BadSetting> {
        let group = &layers.get("socket_group")?.text;
        Ok(Self {
            socket_mode: mode(layers)?,
            socket_group: (!group.is_empty()).then(|| group.clone()),
            operator_groups: names(layers, "operator_groups")?,
            reader_groups: names(layers, "reader_groups")?,
        })
    }

    /// Whether anybody but its own user may connect.
    #[must_use]
    pub fn serves_others(&self) -> bool {
        self.socket_mode & 0o077 != 0
    }
}

/// Reading and writing are what it takes to connect: each of the three digits is 6 or 0, the first is 6.
fn mode(layers: &Layers) -> Result<u32, BadSetting> {
    let written = layers.get("socket_mode")?;
    let known = ["600", "660", "606", "666"];
    let digits = written.text.trim_start_matches("0o").trim_start_matches('0');
    let mode = u32::from_str_radix(digits, 8).ok().filter(|_| known.contains(&digits));
    mode.ok_or_else(|| BadSetting {
        place: written.place.clone(),
        why: format!("socket_mode is '{}'; it can be \"0600\", \"0660\" or \"0666\"", written.text),
    })
}

/// Names between commas or spaces.
fn names(layers: &Layers, key: &str) -> Result<Vec<String>, BadSetting> {
    let split = layers.get(key)?.text.split([',', ' ']);
    Ok(split.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// `true` or `false`.
pub(super) fn yes(layers: &Layers, key: &str) -> Result<bool, BadSetting> {
    let written = layers.get(key)?;
    written.text.parse().map_err(|_| BadSetting {
        place: written.place.clone(),
        why: format!("{key} is '{}'; it can be true, false", written.text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<Access, BadSetting> {
        let mut layers = Layers::built_in().unwrap();
        layers.add_toml(text, "a.toml").and_then(|()| Access::of(&layers))
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
            with("socket_mode = \"0660\"\nsocket_group = \"users\"\nreader_groups = \"a, b\"").unwrap();
        assert_eq!((access.socket_mode, access.serves_others()), (0o660, true));
        assert_eq!(access.socket_group.as_deref(), Some("users"));
        assert_eq!(access.reader_groups, ["a", "b"]);
        for bad in
            ["socket_mode = \"0777\"", "socket_mode = 432", "socket_mode = \"0060\"", "socket_mode = \"\""]
        {
            let error = with(bad).unwrap_err().to_string();
            assert!(error.starts_with("a.toml:1: socket_mode is "), "{error}");
        }
    }
}
