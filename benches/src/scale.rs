//! Two workers against one on a job of about two seconds.

use tally_tests::World;

use crate::measure::{median, say, seconds};

const ROUNDS: usize = 3;

pub(crate) fn two_workers(binary: &str) {
    let world = World::new(binary);
    let time =
        |workers: &str, source: &str| seconds(|| drop(world.run(["sum", source, "--workers", workers])));
    // Long enough for two seconds on this machine.
    let probe = time("1", "0..1e9");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a round number of elements")]
    let elements = (2.0 / probe * 1e9) as u64;
    let source = format!("0..{elements}");
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        one.push(time("1", &source));
        two.push(time("2", &source));
    }
    let (one, two) = (median(&mut one), median(&mut two));
    println!("{elements} elements: one worker {one:.2} s, two workers {two:.2} s");
    say("speed-up of two workers", one / two, ">= 1.9 when two cores are free");
    world.finish();
}
