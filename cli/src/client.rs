//! The blocking client of the control socket: connect, ask, read answers.
//!
//! One request at a time. On a daemon's socket the first request goes out together with a greeting that names
//! the versions spoken, in one write, so that it costs no round trip. The client never retries and never waits
//! for a time: whoever needs that polls the stream (`conversation`).

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tally_protocol::control::{Request, accepted, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::limits;
use tally_protocol::varlink::{self, ReplyMessage, Splitter};
use tally_protocol::version::{CONTROL, PROGRAM};
use tally_protocol::view::JobView;
use tally_sys::passed::{PASSED_FDS_MAX, pass};

use crate::place;

/// Bytes asked for in one read.
const READ_BYTES: usize = 64 << 10;

/// One connection to a supervisor.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    replies: Splitter,
    greeting: Greeting,
    /// Requests that will be sent together.
    held: Vec<u8>,
    /// The supervisor had stopped reading before the last request was sent as a whole.
    unread: bool,
    /// The daemon's socket; `None` for a private supervisor.
    socket: Option<PathBuf>,
}

/// How far the exchange of versions is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    /// It goes out with the first request.
    Unsaid,
    /// Its reply comes before any other.
    Unanswered,
    /// Answered, or not needed.
    Over,
}

impl Client {
    /// Connects to the daemon at a socket.
    ///
    /// # Errors
    /// `NoDaemon` when nobody listens there, `NotPermitted` when the socket is not for this user.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, Failure> {
        let path = path.as_ref();
        let stream = UnixStream::connect(path).map_err(|why| place::unreachable(path, &why, true))?;
        Ok(Self::to_daemon(stream, path))
    }

    /// Speaks over a connected stream to a supervisor of this very build: no greeting.
    #[must_use]
    pub fn over(stream: UnixStream) -> Self {
        let replies = Splitter::new(limits::REPLY_BYTES_MAX);
        Self { stream, replies, greeting: Greeting::Over, held: Vec::new(), unread: false, socket: None }
    }

    pub(crate) fn to_daemon(stream: UnixStream, socket: &Path) -> Self {
        Self { greeting: Greeting::Unsaid, socket: Some(socket.to_path_buf()), ..Self::over(stream) }
    }

    /// The daemon's socket; `None` for a private supervisor.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// The process at the other end, where the system tells.
    pub(crate) fn peer_pid(&self) -> Option<i32> {
        tally_sys::socket::peer(&self.stream).ok()?.pid.map(tally_sys::process::Pid::raw)
    }

    /// Asks and waits for the one reply.
    ///
    /// # Errors
    /// The failure the supervisor reported; `SupervisorGone` when it hung up; `VersionMismatch`.
    pub fn call(&mut self, request: &Request) -> Result<ReplyMessage, Failure> {
        self.send(request, false)?;
        self.next_reply()
    }

    /// Asks and hands each reply to `on_job`, with whether more follow, until the last.
    ///
    /// # Errors
    /// As [`Client::call`]; also when a reply carries no job.
    pub fn stream(
        &mut self,
        request: &Request,
        mut on_job: impl FnMut(JobView, bool),
    ) -> Result<(), Failure> {
        self.send(request, true)?;
        loop {
            let reply = self.next_reply()?;
            let continues = reply.continues;
            on_job(part(reply, "job")?, continues);
            if !continues {
                return Ok(());
            }
        }
    }

    /// Exchanges versions and waits for the answer, before a request that must not reach a stranger.
    ///
    /// # Errors
    /// `VersionMismatch` when the daemon speaks no version that this program speaks.
    pub fn greet(&mut self) -> Result<(), Failure> {
        if self.greeting == Greeting::Unsaid {
            let mut bytes = Vec::new();
            encode(&Request::Hello(CONTROL), false, &mut bytes)?;
            self.write(&bytes)?;
            self.greeting = Greeting::Unanswered;
        }
        while self.greeting == Greeting::Unanswered {
            if !self.take_greeting()? {
                self.read_more()?;
            }
        }
        Ok(())
    }

    /// Sends a request without waiting for its reply; `more` asks for a stream of replies.
    pub(crate) fn send(&mut self, request: &Request, more: bool) -> Result<(), Failure> {
        self.send_with(request, more, &[])
    }

    /// Sends requests in one write, without waiting for replies.
    pub(crate) fn send_all(&mut self, requests: &[Request]) -> Result<(), Failure> {
        requests.iter().try_for_each(|request| self.hold(request))?;
        self.send_held()
    }

    /// The same with descriptors that belong to the request.
    pub(crate) fn send_with(
        &mut self,
        request: &Request,
        more: bool,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        if !fds.is_empty() {
            // Descriptors belong to the call they arrive with: a greeting in the same packet would lose them.
            self.greet()?;
        } else if self.greeting == Greeting::Unsaid {
            encode(&Request::Hello(CONTROL), false, &mut bytes)?;
            self.greeting = Greeting::Unanswered;
        }
        encode(request, more, &mut bytes)?;
        if fds.is_empty() {
            return self.write(&bytes);
        }
        // They arrive with the first bytes, some with each: before the request that they belong to is whole.
        let mut rest = bytes.as_slice();
        for some in fds.chunks(PASSED_FDS_MAX) {
            match pass(&self.stream, &rest[..rest.len().min(1)], some) {
                Ok(sent) => rest = &rest[sent..],
                Err(why)
                    if matches!(why.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
                {
                    self.unread = true;
                    return Ok(());
                }
                Err(why) => return Err(self.gone(&format!(": {}", place::reason(&why)))),
            }
        }
        self.write(rest)
    }

    /// Puts a request behind those that `send_held` will send together.
    ///
    /// # Errors
    /// When it is too long.
    pub(crate) fn hold(&mut self, request: &Request) -> Result<(), Failure> {
        if self.greeting == Greeting::Unsaid {
            encode(&Request::Hello(CONTROL), false, &mut self.held)?;
            self.greeting = Greeting::Unanswered;
        }
        let before = self.held.len();
        encode(request, false, &mut self.held).inspect_err(|_| self.held.truncate(before))
    }

    /// Sends what was held back, in one write.
    ///
    /// # Errors
    /// When the system refuses it. A daemon that has gone is told of by the next read.
    pub(crate) fn send_held(&mut self) -> Result<(), Failure> {
        let bytes = std::mem::take(&mut self.held);
        let sent = if bytes.is_empty() { Ok(()) } else { self.write(&bytes) };
        self.held = bytes;
        self.held.clear();
        sent
    }

    /// The next reply if it is here as a whole, be it one that reports a failure.
    ///
    /// # Errors
    /// When what came is no reply, or the versions do not fit.
    pub(crate) fn take_any(&mut self) -> Result<Option<ReplyMessage>, Failure> {
        if self.greeting == Greeting::Unanswered && !self.take_greeting()? {
            return Ok(None);
        }
        self.take_message()
    }

    /// Whether the supervisor cannot have taken the last request in: it had stopped reading before.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread
    }

    /// The next reply if it is here as a whole. A reply that is an error comes as the failure it reports.
    pub(crate) fn take(&mut self) -> Result<Option<ReplyMessage>, Failure> {
        if self.greeting == Greeting::Unanswered && !self.take_greeting()? {
            return Ok(None);
        }
        let Some(reply) = self.take_message()? else { return Ok(None) };
        if reply.error.is_some() {
            accepted(reply)?;
            return Err(self.garbled("an error without a name"));
        }
        Ok(Some(reply))
    }

    /// Reads once, waiting if need be.
    pub(crate) fn read_more(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; READ_BYTES];
        let count = loop {
            match self.stream.read(&mut buffer) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match count {
            Ok(0) => Err(self.gone("")),
            Ok(count) => {
                self.replies.feed(&buffer[..count]);
                Ok(())
            }
            Err(why) => Err(self.gone(&format!(": {}", place::reason(&why)))),
        }
    }

    /// Ends the connection both ways: an attached job ends with it. A peer that is gone already is as well.
    pub(crate) fn hang_up(&self) {
        drop(self.stream.shutdown(Shutdown::Both));
    }

    fn next_reply(&mut self) -> Result<ReplyMessage, Failure> {
        loop {
            if let Some(reply) = self.take()? {
                return Ok(reply);
            }
            self.read_more()?;
        }
    }

    /// Whether the greeting's reply was here.
    fn take_greeting(&mut self) -> Result<bool, Failure> {
        let Some(reply) = self.take_message()? else { return Ok(false) };
        self.greeting = Greeting::Over;
        let version: u32 = part(reply, "version").map_err(|failure| self.misfit(failure))?;
        if (CONTROL.oldest..=CONTROL.newest).contains(&version) {
            return Ok(true);
        }
        let failure = Failure::new(
            ErrorCode::VersionMismatch,
            format!(
                "it answers in version {version}, the client speaks {} to {}",
                CONTROL.oldest, CONTROL.newest
            ),
        );
        Err(self.misfit(failure))
    }

    fn misfit(&self, failure: Failure) -> Failure {
        if failure.code != ErrorCode::VersionMismatch {
            return failure;
        }
        // The daemon names the versions of both sides; what it could not do is said here already.
        let why = match failure.message.strip_prefix("could not ") {
            Some(text) => text.split_once(": ").map_or(text, |(_, why)| why),
            None => &failure.message,
        };
        let message = format!("could not talk to {}: {why} (this is tally {PROGRAM})", self.peer());
        let hint =
            failure.hint.unwrap_or_else(|| "restart the daemon with the same version of tally".to_owned());
        Failure::new(ErrorCode::VersionMismatch, message).hint(hint)
    }

    fn take_message(&mut self) -> Result<Option<ReplyMessage>, Failure> {
        let peer = self.peer();
        let unreadable = |why: varlink::Unreadable| {
            Failure::new(ErrorCode::Internal, format!("could not understand {peer}: {why}"))
        };
        match self.replies.next_message().map_err(unreadable)? {
            Some(message) if !message.starts_with(b"{") => {
                // An array of the right length would pass for the object it is not.
                Err(unreadable(varlink::Unreadable::Json("it is no object".to_owned())))
            }
            Some(message) => varlink::decode(message).map(Some).map_err(unreadable),
            None => Ok(None),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self.stream.write_all(bytes) {
            // Whoever hung up may have said why before: reading tells.
            Err(why) if matches!(why.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                self.unread = true;
                Ok(())
            }
            Err(why) => Err(self.gone(&format!(": {}", place::reason(&why)))),
            Ok(()) => Ok(()),
        }
    }

    fn garbled(&self, what: &str) -> Failure {
        Failure::new(ErrorCode::Internal, format!("could not understand {}: {what}", self.peer()))
    }

    fn gone(&self, how: &str) -> Failure {
        let before =
            if self.replies.held_bytes() > 0 { "in the middle of an answer" } else { "before it answered" };
        let message = match &self.socket {
            Some(_) => format!("could not finish: {} hung up {before}{how}", self.peer()),
            None => format!("could not finish: the supervisor ended {before}{how}"),
        };
        Failure::new(ErrorCode::SupervisorGone, message)
    }

    fn peer(&self) -> String {
        match &self.socket {
            Some(socket) => format!("the daemon at {}", socket.display()),
            None => "the supervisor".to_owned(),
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn encode(request: &Request, more: bool, out: &mut Vec<u8>) -> Result<(), Failure> {
    let start = out.len();
    varlink::encode(&request.to_call(more), out)
        .map_err(|why| Failure::new(ErrorCode::Internal, format!("could not write the request: {why}")))?;
    if out.len() - start > limits::REQUEST_BYTES_MAX {
        let message =
            format!("could not send the request: it is longer than {} bytes", limits::REQUEST_BYTES_MAX);
        return Err(Failure::new(ErrorCode::BadUsage, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Act, supervisor};
    use tally_protocol::control::Reply;
    use tally_protocol::ids::JobId;

    fn private(script: Vec<Act>) -> (Client, std::thread::JoinHandle<Vec<Request>>) {
        let (stream, played) = supervisor(script);
        (Client::over(stream), played)
    }

    fn to_daemon(script: Vec<Act>) -> (Client, std::thread::JoinHandle<Vec<Request>>) {
        let (stream, played) = supervisor(script);
        (Client::to_daemon(stream, Path::new("/run/t.sock")), played)
    }

    #[test]
    fn a_call_has_one_reply() {
        let (mut client, played) = private(vec![Act::Listen, Act::Say(Reply::Done, false)]);
        assert_eq!(client.call(&Request::Ping).unwrap(), Reply::Done.to_message(false));
        drop(client);
        assert_eq!(played.join().unwrap(), [Request::Ping]);
    }

    #[test]
    fn a_stream_ends_with_its_last_reply() {
        let job = |view: JobView| Reply::Job(Box::new(view));
        let (running, done) = (fake::job_running(), fake::job_done("sum", "45"));
        let (mut client, played) = private(vec![
            Act::Listen,
            Act::Say(job(running.clone()), true),
            Act::Say(job(running.clone()), true),
            Act::Say(job(done.clone()), false),
            Act::Listen,
            Act::Say(Reply::Done, false),
        ]);
        let mut heard = Vec::new();
        client.stream(&Request::Follow(JobId(1)), |job, more| heard.push((job, more))).unwrap();
        assert_eq!(heard, [(running.clone(), true), (running, true), (done, false)]);
        assert!(client.call(&Request::Ping).is_ok(), "the connection stays of use");
        drop(client);
        assert_eq!(played.join().unwrap(), [Request::Follow(JobId(1)), Request::Ping]);
    }

    #[test]
    fn a_daemon_is_greeted_once_and_first() {
        let (mut client, played) = to_daemon(vec![
            Act::Listen,
            Act::Listen,
            Act::Say(Reply::Hello(1), false),
            Act::Say(Reply::Done, false),
            Act::Listen,
            Act::Say(Reply::Done, false),
        ]);
        client.call(&Request::Ping).unwrap();
        client.call(&Request::Drain).unwrap();
        drop(client);
        assert_eq!(played.join().unwrap(), [Request::Hello(CONTROL), Request::Ping, Request::Drain]);
    }

    #[test]
    fn a_greeting_alone_is_not_repeated() {
        let (mut client, played) = to_daemon(vec![
            Act::Listen,
            Act::Say(Reply::Hello(1), false),
            Act::Listen,
            Act::Say(Reply::Done, false),
        ]);
        client.greet().unwrap();
        client.greet().unwrap();
        client.call(&Request::Ping).unwrap();
        drop(client);
        assert_eq!(played.join().unwrap(), [Request::Hello(CONTROL), Request::Ping]);
    }

    #[test]
    fn versions_that_do_not_fit_are_both_named() {
        let why = "could not agree on a protocol: the client speaks 1 to 1, the daemon 2 to 3";
        let refusal = Reply::Refused(Failure::new(ErrorCode::VersionMismatch, why));
        let (mut client, played) = to_daemon(vec![Act::Listen, Act::Say(refusal, false)]);
        let failure = client.call(&Request::Ping).unwrap_err();
        let both = "the client speaks 1 to 1, the daemon 2 to 3";
        let expected =
            format!("could not talk to the daemon at /run/t.sock: {both} (this is tally {PROGRAM})");
        assert_eq!((failure.code, failure.message), (ErrorCode::VersionMismatch, expected));
        assert!(failure.hint.is_some());
        drop(client);
        played.join().unwrap();
        let (mut client, _played) = to_daemon(vec![Act::Listen, Act::Say(Reply::Hello(7), false)]);
        let failure = client.greet().unwrap_err();
        assert!(failure.message.contains("it answers in version 7, the client speaks 1 to 1"));
    }

    #[test]
    fn a_refusal_is_the_supervisors_own_failure() {
        let refusal = Failure::new(ErrorCode::NoSuchJob, "no job j9").hint("see 'tally jobs --all'");
        let (mut client, _played) =
            private(vec![Act::Listen, Act::Say(Reply::Refused(refusal.clone()), false)]);
        assert_eq!(client.call(&Request::Show(JobId(9))), Err(refusal));
    }

    #[test]
    fn a_refusal_before_the_greeting_is_answered_counts() {
        let refusal = Failure::new(ErrorCode::TooMany, "there are 1024 clients already");
        let (mut client, played) =
            to_daemon(vec![Act::Say(Reply::Refused(refusal.clone()), false), Act::HangUp]);
        played.join().unwrap();
        assert_eq!(client.call(&Request::Ping), Err(refusal), "though nobody takes the request");
    }

    #[test]
    fn a_hang_up_is_told_with_where_it_came() {
        let message = |script, path: Option<&str>| {
            let (stream, _played) = supervisor(script);
            let mut client = match path {
                Some(path) => Client::to_daemon(stream, Path::new(path)),
                None => Client::over(stream),
            };
            let failure = client.call(&Request::Ping).unwrap_err();
            assert_eq!((failure.code, failure.exit), (ErrorCode::SupervisorGone, 1));
            failure.message
        };
        let hang_up = || vec![Act::Listen, Act::HangUp];
        assert_eq!(message(hang_up(), None), "could not finish: the supervisor ended before it answered");
        assert_eq!(
            message(hang_up(), Some("/d")),
            "could not finish: the daemon at /d hung up before it answered"
        );
        let half = vec![Act::Listen, Act::Bytes(b"{\"param".to_vec()), Act::HangUp];
        assert_eq!(message(half, None), "could not finish: the supervisor ended in the middle of an answer");
    }

    #[test]
    fn garbage_is_an_error_and_no_panic() {
        for bytes in [&b"\0"[..], b"[]\0", b"\xff\xfe\0", b"{\"error\":7}\0"] {
            let (mut client, _played) = private(vec![Act::Listen, Act::Bytes(bytes.to_vec())]);
            let failure = client.call(&Request::Ping).unwrap_err();
            assert!(
                failure.message.starts_with("could not understand the supervisor: "),
                "{}",
                failure.message
            );
        }
        let unknown = b"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{}}\0";
        let (mut client, _played) = private(vec![Act::Listen, Act::Bytes(unknown.to_vec())]);
        let failure = client.call(&Request::Ping).unwrap_err();
        assert!(failure.message.contains("MethodNotFound"), "{}", failure.message);
    }
}
