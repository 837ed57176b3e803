//! `docgen`: renews what documents show: outputs of commands that have changed, and the first page's picture.
//!
//! The tests that compare them write them instead when they are asked to; what comes out is for a person to read and commit.

use std::path::PathBuf;
use std::process::Command;

use crate::install::succeed;

pub(crate) fn run(_: &[String]) -> Result<(), String> {
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut renew = Command::new(env!("CARGO"));
    renew
        .args(["test", "--locked", "--test", "guide", "--test", "book"])
        .env("TALLY_RENEW", "1")
        .current_dir(project);
    succeed(&mut renew)
}
