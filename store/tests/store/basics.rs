//! What is put is there, what is deleted is not; who may read it; what is not ours is left alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tally_store::{Change, OpenErrorKind, Table};

use crate::scene::{directory, file, open, put, row};

#[test]
fn rows_are_there_after_a_close() {
    let place = directory();
    let (mut store, rows) = open(place.path());
    assert!(rows.is_empty());
    store
        .commit(&[
            put(Table::Jobs, 2, "two"),
            put(Table::Jobs, 1, ""),
            put(Table::Progress, 1, "half"),
            put(Table::Jobs, 3, "gone"),
            put(Table::Jobs, 2, "two again"),
            Change::Delete(Table::Jobs, 3),
            Change::Delete(Table::Outcomes, 77),
        ])
        .unwrap();
    store.commit(&[]).unwrap();
    drop(store);
    let (mut store, rows) = open(place.path());
    let all = [row(Table::Jobs, 1, ""), row(Table::Jobs, 2, "two again"), row(Table::Progress, 1, "half")];
    assert_eq!(rows, all);
    store.commit(&[Change::Delete(Table::Progress, 1), put(Table::Meta, u64::MAX, "last")]).unwrap();
    drop(store);
    let (_store, rows) = open(place.path());
    assert_eq!(rows, [row(Table::Meta, u64::MAX, "last"), all[0].clone(), all[1].clone()]);
}

#[test]
fn only_the_owner_may_look() {
    let place = directory();
    let below = place.path().join("a/b");
    let _store = open(&below);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&below), 0o700);
    assert_eq!(mode(&file(&below)), 0o600);
    let names: Vec<_> = fs::read_dir(&below).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["jobs.redb"], "nothing else is left there");
}

/// Opens what must be refused, and checks that nothing was changed.
fn refused(place: &std::path::Path) -> tally_store::OpenError {
    let before = fs::read(file(place)).ok();
    let error = tally_store::open(place).unwrap_err();
    assert_eq!(fs::read(file(place)).ok(), before, "{error}");
    assert!(error.to_string().contains(&file(place).display().to_string()), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
    assert_eq!(fs::read_dir(place).unwrap().count(), 1, "{error}");
    error
}

#[test]
fn foreign_files_are_refused_and_kept() {
    let place = directory();
    for content in ["", "x", "redb", "SQLite format 3\0", &"text\n".repeat(5000)] {
        fs::write(file(place.path()), content).unwrap();
        assert!(matches!(refused(place.path()).kind, OpenErrorKind::Foreign), "{content:?}");
    }
    fs::remove_file(file(place.path())).unwrap();
    fs::create_dir(file(place.path())).unwrap();
    assert!(matches!(refused(place.path()).kind, OpenErrorKind::Foreign));
    fs::remove_dir(file(place.path())).unwrap();
    symlink("/dev/null", file(place.path())).unwrap();
    assert!(matches!(refused(place.path()).kind, OpenErrorKind::Link));
}

#[test]
fn a_database_of_somebody_else_is_refused() {
    const THEIRS: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("theirs");
    let place = directory();
    let database = redb::Database::create(file(place.path())).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(THEIRS).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = refused(place.path());
    assert!(matches!(error.kind, OpenErrorKind::Foreign), "{error}");
    assert!(error.to_string().ends_with("it is not a store of tally"), "{error}");
}

#[test]
fn another_version_is_refused() {
    const OWN: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("tally");
    let place = directory();
    drop(open(place.path()));
    let database = redb::Database::open(file(place.path())).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(OWN).unwrap().insert("format", b"tally store 2".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = refused(place.path());
    assert!(error.to_string().ends_with("another version of tally made it (tally store 2)"), "{error}");
    assert!(error.hint().starts_with("nothing was changed"));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let place = directory();
    fs::write(place.path().join("file"), "").unwrap();
    let error = tally_store::open(&place.path().join("file/state")).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("make the directory "), "{text}");
    assert!(text.ends_with("file/state: not a directory"), "{text}");
}

#[test]
fn what_a_killed_start_left_is_in_nobodys_way() {
    let place = directory();
    fs::write(place.path().join("jobs.redb.new"), "half a file").unwrap();
    let (store, rows) = open(place.path());
    assert!(rows.is_empty());
    drop(store);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}
