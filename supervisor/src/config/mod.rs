//! Settings: from what was written, in layers, to what it means.
//!
//! `config.toml` at the root of the project is the lowest layer and the documentation. A later layer wins key by key.
//! A bad value is refused with where it stands; nothing is taken from a layer that has one.
//! The way: `keys` (what there can be), `layers` (what was written), `sources` (where it is read from, again and
//! again), `meaning` (what it comes to), `show` (what people are told).

mod access;
mod address;
mod keys;
mod layers;
mod meaning;
mod show;
mod sources;
mod state_dir;
mod suggest;

pub use access::Access;
pub use address::MetricsAddress;
pub use layers::{BadSetting, Layers};
pub use meaning::Configuration;
pub use sources::{Reading, Sources};
pub use state_dir::StateDir;

/// The keys of all settings, in the order of `config.toml`.
#[must_use]
pub fn keys() -> Vec<&'static str> {
    keys::KEYS.iter().map(|key| key.name).collect()
}

/// The built-in layer.
pub const BUILT_IN: &str = include_str!("../../../config.toml");
