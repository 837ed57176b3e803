//! One connection to the control socket: bytes in, calls out; replies in, bytes out.
//!
//! A client has at most one request in the machine at a time; what it sends meanwhile waits here, unread beyond a
//! bound. A client that does not read its replies is hung up on when they exceed theirs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use tally_protocol::command::RunAs;
use tally_protocol::limits;
use tally_protocol::locks::handover::HandedParty;
use tally_protocol::objects::{QuickCall, quick_call};
use tally_protocol::varlink::{self, Call, ReplyMessage, Splitter, Unreadable};
use tally_sys::fd::write_some;
use tally_sys::passed::{self, Taken};
use tally_sys::poll::Interest;

use tally_machine::Who;

use crate::handed::Handed;

/// The request of a client that the machine has not answered for the last time.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// The client reads no reply.
    oneway: bool,
    /// The client reads several.
    more: bool,
    /// It may be answered early, for the sake of the next one.
    yields: bool,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: UnixStream,
    incoming: Splitter,
    handed: Handed,
    /// Encoded replies; those before `sent` are on their way.
    outgoing: Vec<u8>,
    sent: usize,
    pending: Option<Pending>,
    /// The client has finished sending.
    no_more_input: bool,
    /// Hang up once the replies are sent.
    closing: bool,
    /// When it last said something; the quietest idle client makes room for a new one.
    pub(crate) last_heard: u64,
    /// What the poll watches for now.
    pub(crate) watched: Interest,
    /// Whose it is and what it may do.
    pub(crate) who: Who,
    /// As whom its commands run.
    pub(crate) run_as: Option<RunAs>,
    /// The process that connected, where it can be seen from here. For people.
    pub(crate) pid: Option<u32>,
    /// Bytes held for it, as its user is charged for them.
    pub(crate) charged: usize,
}

/// What a client's input holds.
#[derive(Debug)]
pub(crate) enum Input {
    /// A whole call.
    Call(Call),
    /// A whole call about objects, read already.
    Quick(QuickCall),
    /// Bytes that are none: hang up after saying so.
    Garbage(Unreadable),
    /// Nothing whole yet.
    Nothing,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes on.
    Stays,
    /// Close it and forget it.
    Gone,
}

impl Client {
    /// A fresh connection, already non-blocking.
    pub(crate) fn new(stream: UnixStream, who: Who, pid: Option<u32>, now: u64) -> Self {
        Self {
            who,
            run_as: None,
            pid,
            charged: 0,
            stream,
            handed: Handed::default(),
            incoming: Splitter::new(limits::REQUEST_BYTES_MAX),
            outgoing: Vec::new(),
            sent: 0,
            pending: None,
            no_more_input: false,
            closing: false,
            last_heard: now,
            watched: Interest::READ,
        }
    }

    /// With as whom its commands run.
    pub(crate) fn run_as(self, run_as: RunAs) -> Self {
        Self { run_as: Some(run_as), ..self }
    }

    /// As another program of this process had it: with what that had read of it and not sent yet, and perhaps with an
    /// answer that the machine owes it.
    pub(crate) fn taken_over(mut self, party: &mut HandedParty) -> Self {
        self.incoming.feed(&std::mem::take(&mut party.incoming));
        self.outgoing = std::mem::take(&mut party.outgoing);
        self.pending = party.waits.then_some(Pending { oneway: false, more: false, yields: false });
        self
    }

    /// The connection, and the bytes that have come and are still to go.
    pub(crate) fn into_parts(self) -> (OwnedFd, Vec<u8>, Vec<u8>) {
        let incoming = self.incoming.held().to_vec();
        (self.stream.into(), incoming, self.outgoing[self.sent..].to_vec())
    }

    /// Whether the machine owes it nothing and it owes us no reading.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_none() && self.sent == self.outgoing.len()
    }

    /// Whether it has sent more than it may while it waits for a reply: the rest stays with the system.
    fn is_ahead(&self) -> bool {
        let many = self.handed.count() > limits::FILES_MAX;
        self.pending.is_some() && (many || self.incoming.held_bytes() > limits::CLIENT_READ_BYTES_PER_TURN)
    }

    /// What the poll is to watch for.
    pub(crate) fn interest(&self) -> Interest {
        Interest {
            readable: !self.no_more_input && !self.closing && !self.is_ahead(),
            writable: self.sent < self.outgoing.len(),
        }
    }

    /// Reads what there is, up to a turn's bound.
    pub(crate) fn read(&mut self, now: u64, buffer: &mut [u8]) -> Fate {
        let mut room = limits::CLIENT_READ_BYTES_PER_TURN;
        while room > 0 {
            match passed::take(&self.stream, buffer) {
                Ok(None) => return Fate::Stays,
                Ok(Some(Taken { bytes: 0, .. })) => {
                    self.no_more_input = true;
                    return self.fate();
                }
                Ok(Some(Taken { bytes: count, fds, .. })) => {
                    self.last_heard = now;
                    self.incoming.feed(&buffer[..count]);
                    self.handed.came(fds, self.incoming.fed_bytes());
                    room = room.saturating_sub(count);
                    // A short read is the last one, or ends where descriptors came along.
                    if count < buffer.len() {
                        return Fate::Stays;
                    }
                }
                Err(_) => return Fate::Gone,
            }
        }
        Fate::Stays
    }

    /// The next call, unless the last one is still being answered.
    pub(crate) fn next_input(&mut self) -> Input {
        if self.pending.is_some() || self.closing {
            return Input::Nothing;
        }
        let read = match self.incoming.next_message() {
            Ok(Some(message)) => match quick_call(message) {
                Some(call) => Ok(Input::Quick(call)),
                None => varlink::decode(message).map(Input::Call),
            },
            Ok(None) => return Input::Nothing,
            Err(why) => return self.give_up(why),
        };
        self.handed.call_ends(self.incoming.taken_bytes());
        let input = match read {
            Ok(input) => input,
            Err(why) => return self.give_up(why),
        };
        self.pending = match &input {
            Input::Quick(call) => Some(Pending { oneway: call.oneway, more: call.more, yields: false }),
            Input::Call(call) => {
                let yields = call.method == "io.tally.Next";
                Some(Pending { oneway: call.oneway, more: call.more, yields })
            }
            Input::Garbage(_) | Input::Nothing => None,
        };
        input
    }

    fn give_up(&mut self, why: Unreadable) -> Input {
        self.pending = Some(Pending { oneway: false, more: false, yields: false });
        self.closing = true;
        Input::Garbage(why)
    }

    /// The descriptors that came with the call, which names so many files.
    pub(crate) fn take_handed(&mut self, named: usize) -> Vec<OwnedFd> {
        self.handed.take(named)
    }

    /// Whether the pending call asked for several replies.
    pub(crate) fn wants_more(&self) -> bool {
        self.pending.is_some_and(|pending| pending.more)
    }

    /// Whether another call waits behind one that may be answered early. Tells it once.
    pub(crate) fn wants_to_go_on(&mut self) -> bool {
        let waits = self.incoming.is_whole_message_waiting();
        match &mut self.pending {
            Some(pending) if pending.yields && waits => {
                pending.yields = false;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Queues a reply to the pending call; `continues`: more of them follow. It is sent with the next [`Client::write`].
    pub(crate) fn reply(
        &mut self,
        continues: bool,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), Unreadable>,
    ) -> Fate {
        let Some(pending) = self.pending else { return Fate::Stays };
        if !continues {
            self.pending = None;
        }
        if pending.oneway || (continues && !pending.more) {
            return self.fate();
        }
        // One reply may be of any size; a client that lets them pile up is hung up on.
        let waiting = self.outgoing.len() - self.sent;
        if waiting > limits::REPLY_BACKLOG_BYTES_MAX || encode(&mut self.outgoing).is_err() {
            return Fate::Gone;
        }
        // What is much already goes now: so only what the reader leaves counts for its backlog.
        if self.outgoing.len() - self.sent > limits::CLIENT_READ_BYTES_PER_TURN {
            self.write()
        } else {
            Fate::Stays
        }
    }

    /// Whether replies wait to be sent.
    pub(crate) fn is_unsent(&self) -> bool {
        self.sent < self.outgoing.len()
    }

    /// The end of the daemon: nothing more is taken in, and whatever has come and was not looked at is answered with
    /// `message`, as far as the system's buffers let it.
    pub(crate) fn part(&mut self, buffer: &mut [u8], message: &ReplyMessage) {
        // From here on the peer's writing fails, so that it knows what was not taken.
        if self.stream.shutdown(std::net::Shutdown::Read).is_err() {
            return;
        }
        while !self.no_more_input && self.read(self.last_heard, buffer) == Fate::Stays {}
        // A call that was read in the last turn, too late for the machine: what it has taken in is answered by now.
        if !self.closing {
            self.reply(false, |out| varlink::encode(message, out));
        }
        while let Input::Call(_) | Input::Quick(_) = self.next_input() {
            self.reply(false, |out| varlink::encode(message, out));
        }
        self.write();
    }

    /// Hangs up once all replies are sent.
    pub(crate) fn close_when_sent(&mut self) {
        self.closing = true;
    }

    /// Sends as much as the connection takes.
    pub(crate) fn write(&mut self) -> Fate {
        while self.sent < self.outgoing.len() {
            match write_some(&self.stream, &self.outgoing[self.sent..]) {
                Ok(None) => break,
                Ok(Some(count)) => self.sent += count,
                Err(_) => return Fate::Gone,
            }
        }
        if self.sent == self.outgoing.len() {
            self.outgoing.clear();
            self.outgoing.shrink_to(limits::CLIENT_READ_BYTES_PER_TURN);
            self.sent = 0;
        }
        self.fate()
    }

    /// A client that will say nothing more, and has all its replies, is done with.
    fn fate(&self) -> Fate {
        let silent = self.closing || (self.no_more_input && !self.incoming.is_whole_message_waiting());
        if silent && self.is_idle() { Fate::Gone } else { Fate::Stays }
    }

    /// Bytes of requests and replies held for it.
    pub(crate) fn held_bytes(&self) -> usize {
        self.incoming.held_bytes() + self.outgoing.len()
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
