//! Every command of docs/book runs, and prints what the page shows (`tally_tests::shown`).
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use tally_tests::{World, shown};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/book");

fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = std::fs::read_dir(BOOK)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    pages.sort();
    pages
}

#[test]
fn every_command_prints_what_its_page_shows() {
    for (page, text) in pages() {
        assert_eq!(shown::blocks(&text).1, [""; 0], "{page} has a block that would run nowhere");
        let world = World::new(BINARY);
        let count = shown::check_file(&Path::new(BOOK).join(&page), &world);
        assert!(page == "index.md" || count > 0, "{page} shows nothing");
        world.finish();
    }
}

/// What a link of a page leads to; addresses elsewhere are left out.
fn links(text: &str) -> Vec<PathBuf> {
    let targets = text.match_indices("](").map(|(at, open)| &text[at + open.len()..]);
    let targets = targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).map(|target| Path::new(BOOK).join(target)).collect()
}

#[test]
fn every_page_is_in_the_index_and_every_link_leads_somewhere() {
    let pages = pages();
    let (_, index) = pages.iter().find(|(name, _)| name == "index.md").unwrap();
    for (name, text) in &pages {
        for link in links(text) {
            assert!(link.exists(), "{name}: {}", link.display());
        }
        if name != "index.md" {
            assert!(
                index.contains(&format!(
                    ". [{}]({name})\n",
                    text.lines().next().unwrap().trim_start_matches("# ")
                )),
                "{name}"
            );
            assert!(text.contains("\nWhere: "), "{name} does not say where the code is");
        }
    }
}
