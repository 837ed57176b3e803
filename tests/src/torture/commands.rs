//! Clients that are processes: the program's own command line, its answers compared to the last byte.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;

use super::data::Data;
use super::jobs::Job;
use super::plan::Round;
use super::shared::Shared;
use crate::{Finished, Running, World};

/// One client: so many jobs, one after the other.
pub(super) fn run(world: &World, data: &Data, round: &Round, client: u64, jobs: usize, shared: &Arc<Shared>) {
    let mut random = round.random(&[1, client]);
    for number in 0..jobs {
        let job = Job::chosen(&mut random, data);
        shared.await_calm();
        let weather = shared.weather();
        let (finished, struck) = ask(world, &job, shared);
        shared.count(&format!("job: {}", job.kind));
        // A private supervisor has no part in the daemon's weather.
        // Nobody is to blame where no worker lives long enough to begin: that is said, and no answer.
        let unlucky = finished.stderr.contains("in a row failed");
        if unlucky {
            shared.count("failed in words, as workers were struck while they started");
        }
        let stormy = !job.private && !shared.was_calm_since(weather);
        let excused = struck || unlucky || stormy || round.fault.excuses(job.private);
        if let Err(why) = judge(&job, &finished, excused, shared) {
            shared.wrong(format!(
                "{round}: job {number} of client {client}: {why}\n  tally {}\n  {finished:?}",
                job.arguments.join(" ")
            ));
        }
    }
}

/// Runs a command; how it ended, and whether it or its supervisor was struck.
fn ask(world: &World, job: &Job, shared: &Arc<Shared>) -> (Finished, bool) {
    let mut command = world.command(&job.arguments);
    // With a daemon of the world it uses that; without a socket it has a supervisor of its own, as nobody listens at
    // the usual place of this other world.
    if job.private {
        command.env("XDG_RUNTIME_DIR", world.path().join("home"));
    } else {
        command.env("TALLY_SOCKET", world.socket());
    }
    let writer = job.input.clone().map(|input| {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        command.stdin(Stdio::from(reader));
        // Whoever reads may be killed meanwhile.
        move || drop(writer.write_all(input.as_bytes()))
    });
    let running = Running::start(command);
    let pid = running.pid();
    shared.came(pid);
    let writer = writer.map(std::thread::spawn);
    let finished = running.finish_in(4);
    let struck = shared.went(pid);
    if let Some(writer) = writer {
        writer.join().expect("a writer does not panic");
    }
    (finished, struck)
}

/// The answer, or a failure that is excused and told in a line.
fn judge(job: &Job, finished: &Finished, excused: bool, shared: &Shared) -> Result<(), String> {
    if finished.stderr.contains("panicked") {
        return Err("it panicked".to_owned());
    }
    if finished.code() == 0 {
        return if finished.stdout == job.answer {
            shared.count(if excused {
                "answered right, although something was struck"
            } else {
                "answered right"
            });
            Ok(())
        } else {
            Err(format!("the answer is wrong; it is {}", shortened(&job.answer)))
        };
    }
    if !excused {
        return Err("it failed, and nothing was struck".to_owned());
    }
    let whole = finished.stdout.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let right = if job.streams { job.answer.starts_with(whole) } else { finished.stdout.is_empty() };
    // Killed between the answer and the exit.
    if !right && finished.stdout != job.answer {
        return Err("what it printed before it failed is wrong".to_owned());
    }
    let signalled = finished.code() >= 128;
    // A batch tells of its lines on the way.
    let told = finished.stderr.lines().any(|line| line.starts_with("tally: "));
    if !signalled && !told {
        return Err("it failed and did not say why".to_owned());
    }
    shared.count(if signalled { "ended by a strike" } else { "failed in words, as something was struck" });
    Ok(())
}

fn shortened(text: &str) -> String {
    if text.len() > 200 { format!("{}...", &text[..200]) } else { text.to_owned() }
}
