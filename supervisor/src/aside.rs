//! Answers that take long to work out: by a thread beside the loop, one job after another.
//!
//! A product of a million factors and its text take a third of a second, and a daemon is there for others meanwhile. The
//! thread has nothing but the state it was given, and is a quiet one: the process may fork while it runs. A private
//! supervisor has nobody else to be there for, and no thread.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use tally_machine::Event;
use tally_protocol::JobId;
use tally_protocol::answers::Answers;
use tally_protocol::error::{ErrorCode, Failure};
use tally_reduce::Tally;
use tally_sys::doorbell::Doorbell;
use tally_sys::poll::Interest;
use tally_sys::process::QuietThread;

use crate::token::Token;
use crate::turn::Supervisor;

/// What is to be worked out.
#[derive(Debug)]
pub(crate) struct Conclusion {
    pub(crate) job: JobId,
    pub(crate) number: u64,
    pub(crate) partial: Box<Tally>,
    pub(crate) population: bool,
}

/// What is being worked out, and what waits for that. As many as jobs are open, at the most.
#[derive(Debug)]
pub(crate) struct Aside {
    bell: Arc<Doorbell>,
    running: Option<Running>,
    waiting: VecDeque<Conclusion>,
}

#[derive(Debug)]
struct Running {
    job: JobId,
    number: u64,
    thread: QuietThread<Result<Answers, Failure>>,
}

/// Whatever ends the thread, its owner hears of it.
struct RungAtTheEnd(Arc<Doorbell>);

impl Drop for RungAtTheEnd {
    fn drop(&mut self) {
        // A bell that cannot be rung has no listener.
        drop(self.0.ring());
    }
}

impl Supervisor {
    /// Lets long answers be worked out beside the loop from now on.
    pub(crate) fn work_aside(&mut self) -> io::Result<()> {
        let bell = Arc::new(Doorbell::new()?);
        self.poll.watch(&*bell, Token::Answers.key(), Interest::READ)?;
        self.aside = Some(Aside { bell, running: None, waiting: VecDeque::new() });
        Ok(())
    }

    /// Works out the answers of a job: at once, where there is nobody to do it beside the loop.
    pub(crate) fn conclude(&mut self, conclusion: Conclusion) {
        match &mut self.aside {
            Some(aside) => {
                aside.waiting.push_back(conclusion);
                self.conclude_next();
            }
            None => {
                let Conclusion { job, number, partial, population } = conclusion;
                self.concluded(job, number, Answers::of(&partial, population));
            }
        }
    }

    fn conclude_next(&mut self) {
        let Some(aside) = self.aside.as_mut().filter(|aside| aside.running.is_none()) else { return };
        let Some(Conclusion { job, number, partial, population }) = aside.waiting.pop_front() else { return };
        let partial: Arc<Tally> = Arc::from(partial);
        let (theirs, rung) = (Arc::clone(&partial), RungAtTheEnd(Arc::clone(&aside.bell)));
        let body = move || {
            let _rung = rung;
            Answers::of(&theirs, population)
        };
        match QuietThread::start("tally-answers", body) {
            Ok(thread) => aside.running = Some(Running { job, number, thread }),
            Err(why) => {
                tracing::warn!(%job, "could not start a thread for its answer: {why}; others wait meanwhile");
                self.concluded(job, number, Answers::of(&partial, population));
                self.conclude_next();
            }
        }
    }

    /// The thread has rung: it has ended, or is about to.
    pub(crate) fn gather_answers(&mut self) {
        let Some(aside) = &mut self.aside else { return };
        match aside.bell.answer() {
            Ok(true) => {}
            Ok(false) => return,
            Err(why) => return tracing::error!("could not hear of answers: {why}"),
        }
        if let Some(Running { job, number, thread }) = aside.running.take() {
            let lost =
                || Err(Failure::new(ErrorCode::Internal, format!("could not work out the answer of {job}")));
            self.concluded(job, number, thread.join().unwrap_or_else(lost));
        }
        self.conclude_next();
    }

    fn concluded(&mut self, job: JobId, number: u64, answers: Result<Answers, Failure>) {
        self.events.push_back(Event::Concluded { job, number, answers: Box::new(answers) });
    }
}
