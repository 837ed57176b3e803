//! A daemon of root's runs a command as the user who asked.

use super::*;

/// A user that needs not be in any list.
const STRANGER: u32 = 61_001;

#[test]
fn a_daemon_of_root_s_runs_a_command_as_its_user_and_with_no_power_of_its_own() {
    if process::own_uid() != 0 {
        println!("skipped: only root can become another user");
        return;
    }
    let world = World::new(BINARY);
    world.open_to_others();
    let daemon = world.daemon(&["--workers", "2", "--socket-mode", "0666"]);
    for start in ["forkserver", "spawn", "fork"] {
        let ask = |command: &str| {
            world.ask_as(STRANGER, STRANGER + 1, ["max", "0..2", "--start", start, "--command", command])
        };
        ask("id -u; : {start}").answered(&format!("{STRANGER}\n"));
        ask("id -g; : {start}").answered(&format!("{}\n", STRANGER + 1));
        ask("id -G; : {start}").answered(&format!("{}\n", STRANGER + 1));
        ask("grep -c NoNewPrivs:.1 /proc/self/status; : {start}").answered("1\n");
        ask("grep -cE '^Cap(Inh|Prm|Eff):.0+$' /proc/self/status; : {start}").answered("3\n");
        ask("! test -r /etc/shadow && echo 1; : {start}").answered("1\n");
    }
    // Its own users as well: what they leave can still be ended.
    let job = world.ask_as(STRANGER, STRANGER, ["sum", "0..1000", "--detach", "--command", BREEDER]);
    let job = job.stdout.trim().to_owned();
    let brood = await_brood(&world);
    assert_eq!(world.ask_as(STRANGER, STRANGER, ["cancel", &job]).code(), 0);
    brood.await_end();
    world.ask(["max", "0..2", "--command", "id -u; : {start}"]).answered("0\n");
    daemon.stop();
    world.finish();
}
