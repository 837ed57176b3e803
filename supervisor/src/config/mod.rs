//! Settings: from what was written, in layers, to what it means.
//!
//! `config.toml` at the root of the project is the lowest layer and the documentation. A later layer wins key by key.
//! A bad value is refused with where it stands; nothing is taken from a layer that has one.

mod access;
mod keys;
mod layers;

pub use access::Access;
pub use keys::Configuration;
pub use layers::{BadSetting, Layers};

/// The built-in layer.
pub const BUILT_IN: &str = include_str!("../../../config.toml");
