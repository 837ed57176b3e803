//! The first page and the guide: every command runs and prints what is shown, the picture holds, every link leads somewhere.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tally_tests::{World, picture, shown};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Markdown files of a folder.
fn pages(folder: &str) -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(root().join(folder)).expect("a folder").flatten().map(|entry| entry.path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

fn check(path: &Path, least: usize) {
    let world = World::new(BINARY);
    let count = shown::check_file(path, &world);
    assert!(count >= least, "{} has lost its commands", path.display());
    world.finish();
}

#[test]
fn the_first_page_shows_what_happens() {
    check(&root().join("README.md"), 15);
}

/// What is wrong with a page is found: a number that is another one, and a command that ends otherwise.
#[test]
fn a_page_that_shows_something_else_is_found_out() {
    let page = "```console\n$ tally sum 1..=100\n5050\n$ tally sum 1..=\n...\n(exit 2)\n```\n";
    let world = World::new(BINARY);
    let wrong = |text: &str| shown::judge(text, &world);
    assert_eq!(wrong(page), (2, Vec::new()));
    assert!(wrong(&page.replace("5050", "5051")).1[0].contains("shows\n5051\nprinted\n5050\n"));
    assert!(wrong(&page.replace("(exit 2)\n", "")).1[0].contains("exits with 2, not 0"));
    world.finish();
}

#[test]
fn the_guide_shows_what_happens() {
    for path in pages("docs/guide") {
        let least = match path.file_stem().and_then(|name| name.to_str()) {
            Some("recipes") => 35,
            Some("getting-started") => 15,
            _ => 0,
        };
        check(&path, least);
    }
}

#[test]
fn the_picture_of_the_first_page_still_holds() {
    let world = World::new(BINARY);
    let (path, story) = (root().join("docs/picture.svg"), picture::story(&world));
    world.finish();
    if shown::renews() {
        fs::write(&path, picture::svg(&story)).expect("a picture can be written");
    }
    let shown = picture::lines_of(&read(&path));
    assert_eq!(picture::gist(&shown), picture::gist(&story), "'cargo xtask docgen' makes it anew");
    assert!(shown.iter().any(|line| line.contains(" retries=1 ")), "{shown:?}");
}

/// Where a link leads: a file, and a heading in it if it names one.
type Target = (PathBuf, Option<String>);

/// What the links of a page lead to; addresses elsewhere are left out.
fn links(path: &Path) -> Vec<Target> {
    let text = read(path);
    let targets = text.match_indices("](").map(|(at, open)| &text[at + open.len()..]);
    let targets = targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let folder = path.parent().expect("it is in a folder");
    let target = |target: &str| {
        let (file, heading) =
            target.split_once('#').map_or((target, None), |(file, part)| (file, Some(part)));
        let file = if file.is_empty() { path.to_path_buf() } else { folder.join(file) };
        (file, heading.map(str::to_owned))
    };
    targets.filter(|target| !target.contains("://")).map(target).collect()
}

/// The names by which links reach the headings of a page: small letters, blanks as dashes, marks left out.
fn headings(path: &Path) -> BTreeSet<String> {
    let text = read(path);
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    let titles = lines.filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let name = |title: &str| -> String {
        let kept = title.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    titles.map(name).collect()
}

#[test]
fn every_page_is_in_the_table_of_contents_and_every_link_leads_somewhere() {
    let folders = ["docs", "docs/guide", "docs/book", "docs/adr"];
    let all: Vec<PathBuf> = folders.iter().flat_map(|folder| pages(folder)).collect();
    let listed: BTreeSet<PathBuf> = links(&root().join("docs/SUMMARY.md"))
        .into_iter()
        .map(|(path, _)| path.canonicalize().unwrap_or_else(|why| panic!("{}: {why}", path.display())))
        .collect();
    // mdbook would write such a page beside its book.
    let docs = root().join("docs").canonicalize().expect("it is there");
    for page in &listed {
        assert!(page.starts_with(&docs), "{} is no page of the book", page.display());
    }
    for page in all.iter().filter(|page| !page.ends_with("SUMMARY.md")) {
        assert!(
            listed.contains(&page.canonicalize().expect("it is there")),
            "{} is in no list",
            page.display()
        );
    }
    let more = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "contrib/README.md",
        "python/README.md",
        "packaging/README.md",
    ]
    .map(|name| root().join(name));
    for page in all.iter().chain(&more) {
        for (link, heading) in links(page) {
            assert!(link.exists(), "{} leads to {}, which is not there", page.display(), link.display());
            if let Some(heading) = heading.filter(|_| link.extension().is_some_and(|kind| kind == "md")) {
                let there = headings(&link);
                assert!(there.contains(&heading), "{}: {} has no #{heading}", page.display(), link.display());
            }
        }
    }
}
