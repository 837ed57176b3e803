//! From the blow that ends a job to the end of the last process that its command has started: eight sleeps and their
//! shells below two workers, most of which have left their parent or their session.

use serde_json::json;
use tally_sys::clock;
use tally_sys::signal::Signal;
use tally_tests::brood::{BREEDER, await_brood};
use tally_tests::run::send_if_there;
use tally_tests::{Held, World};

use crate::measure::{median, quantile};

const ROUNDS: usize = 100;

pub(crate) fn whole_trees(binary: &str) {
    let world = World::new(binary);
    // Workers are killed on purpose, and too many of these would be waited for.
    let daemon = world.daemon(&["--workers", "2", "--restart-intensity", "1000"]);
    let mut client = daemon.client();
    say("cancelled", || {
        let job = breed(&world);
        after(await_brood(&world), || drop(client.call("io.tally.Cancel", &json!({ "jobs": [job] }))))
    });
    say("both workers killed", || {
        breed(&world);
        let brood = await_brood(&world);
        let wardens = world.await_named("tally-warden", 2);
        // Once one is gone the daemon ends the other.
        after(brood, || wardens.iter().for_each(|one| send_if_there(one.pid, Signal::Kill)))
    });
    daemon.stop();
    world.finish();
    say("daemon killed", || {
        let world = World::new(binary);
        let daemon = world.daemon(&["--workers", "2"]);
        breed(&world);
        let took = after(await_brood(&world), || daemon.signal(Signal::Kill));
        drop(daemon.finish());
        world.await_nobody();
        took
    });
}

/// A job that fails once anything of it is killed; its id.
fn breed(world: &World) -> String {
    let asked = world.ask(["sum", "0..1000", "--detach", "--retries", "0", "--command", BREEDER]);
    assert_eq!(asked.code(), 0, "{asked:?}");
    asked.stdout.trim().to_owned()
}

/// Milliseconds from a blow to the end of all that was bred.
fn after(brood: Held, blow: impl FnOnce()) -> f64 {
    let begun = clock::monotonic_ns();
    blow();
    brood.await_end();
    (clock::monotonic_ns() - begun) as f64 / 1e6
}

fn say(what: &str, mut round: impl FnMut() -> f64) {
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    println!(
        "{what}, all gone: p50 {:.2} ms, p99 {:.2} ms, at most {:.2} ms (goal: 100 ms)",
        median(&mut times),
        quantile(&mut times, 0.99),
        quantile(&mut times, 1.0)
    );
}
