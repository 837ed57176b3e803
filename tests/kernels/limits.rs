//! What a command can take: memory, processes, and the patience of whoever reads its errors.

use super::*;

/// Bytes that the daemon may have resident, whatever kernels do.
const DAEMON_BYTES_MAX: u64 = 50 << 20;

#[test]
fn memory_and_processes_have_limits() {
    let world = World::new(BINARY);
    let eater = "python3 -c 'x = bytearray(1 << 30); print({start})'";
    let finished = run(&world, &["sum", "0..2", "--retries", "0", "--memory-limit", "64M"], eater);
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("likely out of memory (limit 64 MiB)"), "{}", finished.stderr);
    // Below the limit of each, above it together.
    let many = "for i in 1 2 3 4; do python3 -c 'import signal; x = bytearray(40 << 20); signal.pause()' & done; wait; : {start}";
    let finished = run(&world, &["sum", "0..2", "--retries", "0", "--memory-limit", "64M"], many);
    assert!(finished.stderr.contains("it ran out of memory (limit 64 MiB)"), "{}", finished.stderr);
    let forks = reader("for i in $(seq 100); do sleep 1000 & done; wait");
    let finished = run(&world, &["sum", "0..2", "--retries", "0", "--max-processes", "20"], &forks);
    assert!(finished.stderr.contains("processes (limit 20)"), "{}", finished.stderr);
    world.finish();
}

#[test]
fn orphans_that_have_ended_are_reaped_while_their_command_runs() {
    let world = World::new(BINARY);
    // It goes on once its parent has no child but itself.
    let orphans = reader(
        "i=0; while [ $i -lt 100 ]; do (true & true); i=$((i + 1)); done; \
         until [ \"$(wc -w < /proc/$PPID/task/$PPID/children)\" = 1 ]; do :; done; echo $((e - s))",
    );
    let limits = ["sum", "0..4", "--retries", "0", "--max-processes", "20", "--partition-timeout", "60s"];
    run(&world, &limits, &orphans).answered("4\n");
    world.finish();
}

#[test]
fn a_flood_of_errors_costs_nothing_but_time() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let flood = reader("head -c 200000000 /dev/zero >&2; echo $((e - s))");
    world.ask(["sum", "0..4", "--partitions", "4", "--command", &flood]).answered("4\n");
    let used = proc::resident_bytes(daemon.pid()).expect("the daemon lives");
    assert!(used < DAEMON_BYTES_MAX, "the daemon has {used} bytes");
    daemon.stop();
    world.finish();
}
