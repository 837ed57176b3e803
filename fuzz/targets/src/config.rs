//! A configuration file: taken as a whole or not at all, and every fault told in one line with its place.

use std::sync::OnceLock;

use tally_supervisor::config::{Configuration, Layers};

/// The bytes are the file, where they are text.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    static BUILT_IN: OnceLock<Layers> = OnceLock::new();
    let before = BUILT_IN.get_or_init(|| Layers::built_in().expect("the built-in file is right"));
    let mut layers = before.clone();
    let faults = layers.add_toml(text, "fuzz.toml");
    for fault in &faults {
        let told = fault.to_string();
        assert!(told.starts_with("fuzz.toml:"), "{told}");
        assert!(!told.contains(|character: char| character.is_control()), "one line: {told:?}");
        let place = told["fuzz.toml:".len()..].split(':').take(2).map(|part| part.parse::<usize>().ok());
        let place: Option<Vec<usize>> = place.collect();
        let place = place.unwrap_or_else(|| panic!("a place: {told}"));
        assert!(place[0] >= 1 && place[0] <= text.lines().count().max(1) + 1 && place[1] >= 1, "{told}");
    }
    if faults.is_empty() {
        if let Err(fault) = Configuration::of(&layers) {
            assert!(!fault.to_string().contains('\n'), "{fault}");
        }
    } else {
        assert_eq!(layers, *before, "of a layer with a fault nothing is taken");
    }
}
