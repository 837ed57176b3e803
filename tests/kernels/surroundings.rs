//! What a command finds around it: its directory, its environment, its limits, `tally` itself.

use super::*;

#[test]
fn a_command_has_the_world_of_whoever_submits_it() {
    let world = World::new(BINARY).with("ANSWER", "5").with("TALLY_START", "spawn");
    let told = "sh -c 'test \"$TALLY_START-$TALLY_END-$TALLY_JOB-$TALLY_SLOT-$TALLY_ATTEMPT-$TALLY_PARTITION\" = \
                \"{start}-{end}-{job}-{slot}-{attempt}-{partition}\" && echo $((ANSWER + MORE))'";
    run(&world, &["sum", "0..4", "--partitions", "4", "--env", "MORE=2"], told).answered("28\n");
    let here = format!("test \"$PWD\" = \"{}\" && echo 1; : {{start}}", world.path().display());
    run(&world, &["sum", "0..4", "--partitions", "4"], &here).answered("4\n");
    run(&world, &["sum", "0..1", "--chdir", "/usr"], "test $PWD = /usr && echo 1; : {start}").answered("1\n");
    run(&world, &["sum", "0..1", "--umask", "027"], "test $(umask) = 0027 && echo 1; : {start}")
        .answered("1\n");
    run(&world, &["sum", "0..1", "--max-files", "33"], "ulimit -n; : {start}").answered("33\n");
    run(&world, &["sum", "0..1", "--nice", "7"], "nice; : {start}").answered("7\n");
    world.finish();
}

#[test]
fn a_process_that_lives_on_finds_the_values_it_was_started_with() {
    let world = World::new(BINARY);
    let body = "test \"$TALLY_START-$TALLY_END-$TALLY_PARTITION-$TALLY_ATTEMPT\" = \"$s-$e-$p-$a\" && echo 1";
    run(&world, &["sum", "0..4", "--partitions", "4", "--recycle-after", "1"], &reader(body)).answered("4\n");
    world.finish();
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell() {
    let world = World::new(BINARY);
    let script = world.path().join("script");
    fs::write(&script, "while read -r s e p a; do echo $((e - s)); done\n").expect("a file can be written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is this test's own");
    run(&world, &["sum", "0..1000"], "./script").answered("1000\n");
    world.finish();
}

#[test]
fn a_kernel_can_call_tally() {
    let world = World::new(BINARY);
    let nested = format!("{BINARY} sum {{start}}..{{end}} --local");
    run(&world, &["sum", "0..100", "--partitions", "4"], &nested).answered("4950\n");
    world.finish();
}
