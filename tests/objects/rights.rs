//! What other users may do to an object.

use super::*;

/// A user that need not be in any list.
const STRANGER: u32 = 61_001;

#[test]
fn other_users_may_what_the_owner_lets_them() {
    if process::own_uid() != 0 {
        println!("skipped: only root can start processes of other users");
        return;
    }
    let world = World::new(BINARY);
    world.open_to_others();
    let daemon = world.daemon(&["--workers", "1", "--socket-mode", "0666"]);
    world.ask(["value", "mine", "set", "1"]).answered("");
    world.ask(["value", "seen", "set", "1", "--others", "read"]).answered("");
    world.ask(["value", "shared", "set", "1", "--others", "write"]).answered("");
    let stranger = |line: &str| world.ask_as(STRANGER, STRANGER, line.split_whitespace());
    let why = format!("not permitted: mine is an object of user 0, you are user {STRANGER}");
    stranger("value mine get").failed(6, &format!("tally: could not read mine: {why}"));
    assert_eq!(stranger("value mine set 2").code(), 6);
    assert_eq!(stranger("watch mine --count 0").code(), 6);
    stranger("value seen get").answered("1\n");
    assert_eq!(stranger("value seen add 1").code(), 6);
    stranger("value shared add 1").answered("2\n");
    assert_eq!(stranger("objects rm shared").code(), 6);
    let listed = stranger("objects");
    assert!(!listed.stdout.contains("mine") && listed.stdout.contains("seen"), "{}", listed.stdout);
    stranger("value theirs set 5").answered("");
    world.ask(["value", "theirs", "get"]).answered("5\n");
    world.ask(["objects", "rm", "theirs"]).answered("");
    daemon.stop();
    world.finish();
}
