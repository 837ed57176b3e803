//! `docgen`: renews what documents show: outputs of commands that have changed, and with `--picture` the first page's picture.
//!
//! What comes out is for a person to read and commit: tests compare, and never write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tally_tests::{World, picture, shown};

use crate::install::succeed;

/// Pages and folders of pages whose commands run.
const PAGES: [&str; 3] = ["README.md", "docs/guide", "docs/book"];

pub(crate) fn run(rest: &[String]) -> Result<(), String> {
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new(env!("CARGO"));
    succeed(build.args(["build", "--locked"]).current_dir(&project))?;
    let binary = project
        .join("target/debug/tally")
        .canonicalize()
        .map_err(|why| format!("could not find tally: {why}"))?;
    let binary = binary.to_string_lossy().into_owned();
    for page in PAGES.iter().flat_map(|page| pages(&project.join(page))) {
        let text =
            fs::read_to_string(&page).map_err(|why| format!("could not read {}: {why}", page.display()))?;
        let world = World::new(&binary);
        let renewed = shown::renewed(&text, &world);
        world.finish();
        if renewed != text {
            write(&page, &renewed)?;
        }
    }
    if rest.iter().any(|argument| argument == "--picture") {
        let world = World::new(&binary);
        let svg = picture::svg(&picture::story(&world));
        world.finish();
        write(&project.join("docs/picture.svg"), &svg)?;
    }
    Ok(())
}

fn pages(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return vec![path.to_path_buf()] };
    let mut pages: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    println!("{}", path.display());
    fs::write(path, text).map_err(|why| format!("could not write {}: {why}", path.display()))
}
