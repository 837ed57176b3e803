//! A request while people watch: waits for replies, signals and the end of a private supervisor at once.
//!
//! The first interrupt is the verb's to answer; while the conversation ends, another one leaves at once. It must
//! never leave a private supervisor behind that does not end by itself: one that takes too long is killed.

use std::os::fd::AsFd;
use std::time::Duration;

use tally_protocol::control::Request;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::varlink::ReplyMessage;
use tally_sys::clock;
use tally_sys::poll::{Interest, Poll, Ready};
use tally_sys::process::Child;
use tally_sys::signal::{self, Signal, SignalStream};

use crate::client::Client;
use crate::inputs::Inputs;
use crate::place;

/// How long a private supervisor may take to end once its client has hung up.
const END_MS_MAX: u64 = 5_000;
/// How long to wait for the exit of a supervisor that hung up first.
const EXIT_MS_MAX: u64 = 2_000;

const SOCKET: usize = 0;
const SIGNALS: usize = 1;
const CHILD: usize = 2;
const INPUT: usize = 3;
const OUTPUT: usize = 4;

/// The signals that interrupt a command.
pub(crate) fn interrupts() -> Result<SignalStream, Failure> {
    SignalStream::new(&[Signal::Int, Signal::Term]).map_err(|why| system("catch signals", &why))
}

/// The same for one who starts a command of the user's: what is ignored is left so, for the command to inherit.
pub(crate) fn interrupts_but_ignored() -> Result<SignalStream, Failure> {
    let mut heard = Vec::new();
    for one in [Signal::Int, Signal::Term] {
        if !signal::is_ignored(one).map_err(|why| system("look at signals", &why))? {
            heard.push(one);
        }
    }
    SignalStream::new(&heard).map_err(|why| system("catch signals", &why))
}

/// A connection with everything that can happen meanwhile.
#[derive(Debug)]
pub(crate) struct Conversation {
    client: Client,
    /// Files that go with a job.
    inputs: Inputs,
    child: Option<Child>,
    signals: SignalStream,
    poll: Poll,
    ready: Vec<Ready>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    /// A reply that is no error.
    Reply(ReplyMessage),
    /// Somebody wants the command to end.
    Signal(Signal),
    /// Nothing until the time was over.
    Nothing,
}

/// How a pause ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paused {
    /// With its time.
    Over,
    /// Somebody wants the command to end.
    Signal(Signal),
    /// Nobody reads what is written any more.
    Unread,
}

impl Conversation {
    pub(crate) fn new(client: Client, child: Option<Child>, signals: SignalStream) -> Result<Self, Failure> {
        let watch = || {
            let poll = Poll::new()?;
            poll.watch(&client, SOCKET, Interest::READ)?;
            poll.watch(&signals, SIGNALS, Interest::READ)?;
            if let Some(child) = &child {
                poll.watch(child, CHILD, Interest::READ)?;
            }
            Ok(poll)
        };
        let poll = watch().map_err(|why| system("wait for events", &why))?;
        Ok(Self { client, inputs: Inputs::default(), child, signals, poll, ready: Vec::new() })
    }

    /// The client, for an exchange that nobody needs to interrupt.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// From now on a job is sent with these files.
    pub(crate) fn carry(&mut self, inputs: Inputs) {
        self.inputs = inputs;
    }

    /// What interrupts the command.
    pub(crate) fn signals(&self) -> &SignalStream {
        &self.signals
    }

    /// In a child that goes on with the connection: it hears no signals here, and its waiting is its own.
    pub(crate) fn make_own(&mut self) -> std::io::Result<()> {
        // The parent's is one with this one as long as both are open: it must not be changed.
        let poll = Poll::new()?;
        poll.watch(&self.client, SOCKET, Interest::READ)?;
        self.poll = poll;
        self.signals = SignalStream::new(&[])?;
        self.child = None;
        Ok(())
    }

    /// Sends a request; `more` asks for a stream of replies.
    pub(crate) fn ask(&mut self, request: &Request, more: bool) -> Result<(), Failure> {
        match request {
            Request::Submit(_) => {
                self.inputs.unchanged()?;
                self.client.send_with(request, more, &self.inputs.fds())
            }
            _ => self.client.send(request, more),
        }
    }

    /// Sends requests in one go, without waiting for what is answered to the first.
    pub(crate) fn ask_all(&mut self, requests: &[Request]) -> Result<(), Failure> {
        self.client.send_all(requests)
    }

    /// Signals that have come and were not heard.
    pub(crate) fn pending_signals(&mut self) -> Result<Vec<Signal>, Failure> {
        self.signals.pending().map_err(|why| system("read signals", &why))
    }

    /// Waits until something happens, or until `until_ns` on the monotonic clock.
    pub(crate) fn hear(&mut self, until_ns: Option<u64>) -> Result<Heard, Failure> {
        loop {
            if let Some(reply) = self.client.take()? {
                return Ok(Heard::Reply(reply));
            }
            let woken = self.wait(until_ns)?;
            if let Some(signal) = woken.signal {
                return Ok(Heard::Signal(signal));
            }
            if woken.socket {
                // What is here is read before the end of the supervisor counts: it may be the answer.
                self.client.read_more().map_err(|failure| self.with_exit(failure))?;
            } else if woken.child {
                return Err(self.with_exit(Failure::new(ErrorCode::SupervisorGone, "")));
            } else if until_ns.is_some_and(|until| clock::monotonic_ns() >= until) {
                return Ok(Heard::Nothing);
            }
        }
    }

    /// Watches an input, too; false for a file, which never has anything to wait for.
    pub(crate) fn watch_input(&self, input: impl AsFd) -> bool {
        self.poll.watch(input, INPUT, Interest::READ).is_ok()
    }

    /// Watches it no more.
    pub(crate) fn forget_input(&self, input: impl AsFd) {
        drop(self.poll.forget(input));
    }

    /// Waits until there is something to read, from the supervisor or from the input, or somebody wants the command to
    /// end; without `wait` only looks.
    pub(crate) fn wake(&mut self, wait: bool) -> Result<Wake, Failure> {
        let woken = self.wait((!wait).then_some(0))?;
        if woken.socket {
            self.client.read_more().map_err(|failure| self.with_exit(failure))?;
        } else if woken.child {
            return Err(self.with_exit(Failure::new(ErrorCode::SupervisorGone, "")));
        }
        Ok(Wake { signal: woken.signal, input: woken.input })
    }

    /// Watches for the end of whoever reads an output, too. A file has no reader, and a terminal tells by a signal.
    pub(crate) fn watch_output(&self, output: impl AsFd) {
        drop(self.poll.watch(output, OUTPUT, Interest::NONE));
    }

    /// Waits for a time, between two questions.
    pub(crate) fn pause(&mut self, until_ns: u64) -> Result<Paused, Failure> {
        while clock::monotonic_ns() < until_ns {
            let woken = self.wait(Some(until_ns))?;
            if let Some(signal) = woken.signal {
                return Ok(Paused::Signal(signal));
            } else if woken.output {
                return Ok(Paused::Unread);
            } else if woken.socket {
                self.client.read_more()?;
            }
        }
        Ok(Paused::Over)
    }

    /// Hangs up; [`Conversation::go_on_with`] or [`Conversation::end`] come next.
    pub(crate) fn leave(&mut self) {
        self.client.hang_up();
        // Twice is as good as once.
        drop(self.poll.forget(&self.client));
    }

    /// Waits for a time, or for a signal; after [`Conversation::leave`].
    pub(crate) fn rest(&mut self, until_ns: u64) -> Result<Option<Signal>, Failure> {
        while clock::monotonic_ns() < until_ns {
            if let Some(signal) = self.wait(Some(until_ns))?.signal {
                return Ok(Some(signal));
            }
        }
        Ok(None)
    }

    /// Speaks over another connection from here on.
    pub(crate) fn go_on_with(&mut self, client: Client) -> Result<(), Failure> {
        let watched = self.poll.watch(&client, SOCKET, Interest::READ);
        watched.map_err(|why| system("wait for events", &why))?;
        self.client = client;
        Ok(())
    }

    /// Waits until the supervisor closes the connection. `None` when it has; else what came first.
    pub(crate) fn hear_end(&mut self) -> Result<Option<Signal>, Failure> {
        loop {
            match self.hear(None) {
                Ok(Heard::Signal(signal)) => return Ok(Some(signal)),
                Ok(Heard::Reply(_) | Heard::Nothing) => {}
                Err(failure) if failure.code == ErrorCode::SupervisorGone => return Ok(None),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Hangs up and waits for the end of a private supervisor. Another signal ends the wait at once: the
    /// supervisor ends by itself, because its client is gone.
    pub(crate) fn end(mut self) {
        self.client.hang_up();
        drop(self.poll.forget(&self.client));
        let until = deadline(END_MS_MAX);
        while let Some(child) = &mut self.child {
            match child.try_reap() {
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return,
            }
            if clock::monotonic_ns() >= until {
                drop(child.signal(Signal::Kill));
                drop(child.reap());
                return;
            }
            match self.wait(Some(until)) {
                Ok(Woken { signal: None, .. }) => {}
                Ok(Woken { signal: Some(_), .. }) | Err(_) => return,
            }
        }
    }

    /// A supervisor that is gone, with how it ended where that can be known.
    fn with_exit(&mut self, failure: Failure) -> Failure {
        let Some(child) = &mut self.child else { return failure };
        if failure.code != ErrorCode::SupervisorGone {
            return failure;
        }
        drop(self.poll.forget(&self.client));
        let until = deadline(EXIT_MS_MAX);
        let how = loop {
            match child.try_reap() {
                Ok(Some(status)) => break status.to_string(),
                Ok(None) if clock::monotonic_ns() < until => {}
                Ok(None) => break "its process goes on".to_owned(),
                Err(why) => break place::reason(&why),
            }
            if wait(&mut self.poll, &mut self.ready, Some(until)).is_err() {
                break "nobody knows how".to_owned();
            }
        };
        let message = format!("could not finish: the supervisor ended before it answered ({how})");
        Failure::new(ErrorCode::SupervisorGone, message)
            .hint("this is a defect of tally unless somebody killed it")
    }

    fn wait(&mut self, until_ns: Option<u64>) -> Result<Woken, Failure> {
        wait(&mut self.poll, &mut self.ready, until_ns)?;
        let readable = |key| self.ready.iter().any(|ready| ready.key == key);
        let mut woken = Woken {
            socket: readable(SOCKET),
            child: readable(CHILD),
            input: readable(INPUT),
            output: readable(OUTPUT),
            signal: None,
        };
        if readable(SIGNALS) {
            let pending = self.signals.pending().map_err(|why| system("read signals", &why))?;
            woken.signal = pending.first().copied();
        }
        Ok(woken)
    }
}

#[derive(Clone, Copy, Debug)]
struct Woken {
    socket: bool,
    child: bool,
    input: bool,
    signal: Option<Signal>,
    output: bool,
}

/// What there is besides replies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wake {
    /// Somebody wants the command to end.
    pub(crate) signal: Option<Signal>,
    /// The input can be read.
    pub(crate) input: bool,
}

fn wait(poll: &mut Poll, ready: &mut Vec<Ready>, until_ns: Option<u64>) -> Result<(), Failure> {
    let left = until_ns.map(|until| Duration::from_nanos(until.saturating_sub(clock::monotonic_ns())));
    poll.wait(left, ready).map_err(|why| system("wait for events", &why))
}

fn deadline(ms: u64) -> u64 {
    clock::monotonic_ns().saturating_add(ms * 1_000_000)
}

pub(crate) fn system(doing: &str, why: &std::io::Error) -> Failure {
    Failure::new(ErrorCode::System, format!("could not {doing}: {}", place::reason(why)))
}

/// The failure of a command that a signal ended: 130 for an interrupt, 128 and its number for others.
pub(crate) fn interrupted(signal: Signal, what_was_done: &str) -> Failure {
    let message = match what_was_done {
        "" => "could not finish: interrupted".to_owned(),
        done => format!("could not finish: interrupted: {done}"),
    };
    let mut failure = Failure::new(ErrorCode::Interrupted, message);
    failure.exit = u8::try_from(128 + signal.raw()).unwrap_or(failure.exit);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Act};
    use tally_protocol::control::Reply;

    fn conversation(script: Vec<Act>) -> (Conversation, std::thread::JoinHandle<Vec<Request>>) {
        let (stream, played) = fake::supervisor(script);
        (Conversation::new(Client::over(stream), None, interrupts().unwrap()).unwrap(), played)
    }

    #[test]
    fn replies_are_heard_one_by_one() {
        let both = [Reply::Done.to_message(true), Reply::Done.to_message(false)];
        let mut bytes = Vec::new();
        both.iter().for_each(|reply| tally_protocol::varlink::encode(reply, &mut bytes).unwrap());
        let (mut talk, played) = conversation(vec![Act::Listen, Act::Bytes(bytes)]);
        talk.ask(&Request::Ping, true).unwrap();
        for reply in both {
            assert_eq!(talk.hear(None), Ok(Heard::Reply(reply)));
        }
        assert_eq!(talk.hear(Some(0)), Ok(Heard::Nothing));
        talk.end();
        assert_eq!(played.join().unwrap(), [Request::Ping]);
    }

    #[test]
    fn the_end_of_the_supervisor_is_told() {
        let (mut talk, played) = conversation(vec![Act::Listen, Act::HangUp]);
        talk.ask(&Request::Ping, false).unwrap();
        let failure = talk.hear(None).unwrap_err();
        assert_eq!(failure.message, "could not finish: the supervisor ended before it answered");
        assert_eq!(talk.hear_end(), Ok(None));
        played.join().unwrap();
    }

    #[test]
    fn an_interrupt_has_the_shells_exit_code() {
        let failure = interrupted(Signal::Int, "42% of 0..1e9 was done");
        assert_eq!(
            (failure.message.as_str(), failure.exit),
            ("could not finish: interrupted: 42% of 0..1e9 was done", 130)
        );
        let failure = interrupted(Signal::Term, "");
        assert_eq!((failure.message.as_str(), failure.exit), ("could not finish: interrupted", 143));
    }
}
