//! Both forms answer, over every link and in every start, with numbers of any kind.

use super::*;

#[test]
fn both_forms_answer() {
    let world = World::new(BINARY);
    run(&world, &["sum", "0..100000"], LIVES_ON).answered(&sum_below(100_000));
    run(&world, &["sum", "0..100000"], EACH).answered(&sum_below(100_000));
    run(&world, &["sum", "0..100000", "--partitions", "50"], EACH).answered(&sum_below(100_000));
    run(&world, &["sum", "-5..=5"], LIVES_ON).answered("0\n");
    run(&world, &["sum", "5..5"], LIVES_ON).answered("0\n");
    // Beyond 64 bits, as text to text.
    let last = "python3 -c 'import sys\nfor line in sys.stdin: print(int(line.split()[1]) - 1, flush=True)'";
    run(&world, &["max", "1e30..1000000000000000000000000000100"], last)
        .answered("1000000000000000000000000000099\n");
    world.finish();
}

#[test]
fn every_link_and_start_carries_a_command() {
    let world = World::new(BINARY);
    for link in ["shm", "shm-named", "pipe", "mqueue", "channel"] {
        for command in [LIVES_ON, EACH] {
            let answer = run(&world, &["sum", "0..5000", "--transport", link, "-q"], command);
            assert_eq!((answer.code(), answer.stdout), (0, sum_below(5_000)), "{link}: {}", answer.stderr);
        }
    }
    for start in ["forkserver", "spawn", "fork"] {
        let answer = run(&world, &["sum", "0..5000", "--start", start], LIVES_ON);
        assert_eq!((answer.code(), answer.stdout), (0, sum_below(5_000)), "{start}: {}", answer.stderr);
    }
    world.finish();
}

#[test]
fn partials_are_numbers_of_any_kind_or_objects() {
    let world = World::new(BINARY);
    let long = "7".repeat(5_000);
    run(&world, &["max", "0..10"], &reader(&format!("echo {long}"))).answered(&format!("{long}\n"));
    run(&world, &["sum", "0..4", "--partitions", "4"], &reader("echo 0.1")).answered("0.4\n");
    run(&world, &["sum", "0..4"], &reader("echo nan")).answered("nan\n");
    for partitions in ["1", "2", "4"] {
        run(&world, &["sum", "0..4", "--partitions", partitions], &reader("echo -0.0")).answered("-0.0\n");
    }
    run(
        &world,
        &["product", "1..=20"],
        &reader("x=1; i=$s; while [ $i -lt $e ]; do x=$((x * i)); i=$((i + 1)); done; echo $x"),
    )
    .answered("2432902008176640000\n");
    run(&world, &["count", "0..1000"], &reader("echo $((e - s))")).answered("1000\n");
    let all = reader(
        r#"printf "{\"sum\": %d, \"min\": %d, \"max\": %d, \"count\": %d, \"partition\": %d}\n" $s $s $e 1 $p"#,
    );
    run(&world, &["reduce", "min,max,count", "0..8", "--partitions", "4"], &all)
        .answered("min\t0\nmax\t8\ncount\t4\n");
    run(&world, &["mean", "0..8", "--partitions", "4"], &all).answered("3.0\n");
    world.finish();
}

#[test]
fn accepted_statuses_are_none_of_a_failure() {
    let world = World::new(BINARY);
    let grep = "sh -c 'seq {start} $(({end} - 1)) | grep -c 7'";
    run(&world, &["sum", "0..40", "--partitions", "8", "--accept-status", "0,1"], grep).answered("4\n");
    let refused = run(&world, &["sum", "0..40", "--partitions", "8", "--retries", "0"], grep);
    assert!(refused.stderr.contains("exited with status 1"), "{}", refused.stderr);
    world.finish();
}
