//! `man`: the manual pages of the command line's crate, as files of one directory for packages. They are written to
//! `target/man` when they are needed and kept nowhere, so that none is old.

use std::fs;
use std::path::{Path, PathBuf};

use tally_cli::man::Manual;

/// `man [--out DIR]`.
pub(crate) fn run(rest: &[String]) -> Result<(), String> {
    let out = match rest {
        [] => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/man"),
        [flag, directory] if flag == "--out" => PathBuf::from(directory),
        _ => return Err("man takes --out DIR".to_owned()),
    };
    let count = write(&out)?;
    println!("{count} pages in {}", out.display());
    Ok(())
}

/// Writes all pages into a directory that has nothing else; returns how many.
pub(crate) fn write(out: &Path) -> Result<usize, String> {
    let failed = |why: std::io::Error| format!("could not write {}: {why}", out.display());
    let manual = Manual::new();
    fs::create_dir_all(out).map_err(failed)?;
    for page in manual.pages() {
        fs::write(out.join(page.file()), manual.text(page)).map_err(failed)?;
    }
    Ok(manual.pages().len())
}
