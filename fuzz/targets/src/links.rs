//! The other links, over which a hostile worker sends whatever bytes it likes: pipe, message queue, ipc-channel.
//!
//! The supervisor gets frames of possible length or a violation, and always comes back.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, IpcSender, bytes_channel};
use tally_sys::fd;
use tally_sys::mqueue::QueueSender;
use tally_transport::{Transport, create};

use crate::feed::Feed;
use crate::segment::survives;

/// What costs more to make comes less often: of a channel, a thousand are made in the time of ten thousand pipes.
const KINDS: [Transport; 64] = {
    let mut kinds = [Transport::Pipe; 64];
    let mut at = 2;
    while at < 64 {
        kinds[at] = Transport::Mqueue;
        at += 8;
    }
    kinds[3] = Transport::Channel;
    kinds
};

/// The first byte chooses the link; then packets: a byte, or two, of length, and the bytes.
pub fn run(bytes: &[u8]) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut feed = Feed::new(bytes);
    let transport = feed.one_of(&KINDS);
    let tag = format!("fuzz-{}", NUMBER.fetch_add(1, Ordering::Relaxed) % 1000);
    let (mut supervisor, offer) = create(transport, &tag).expect("a link");
    let liar = Liar::new(transport, &offer.text, offer.fds);
    if supervisor.peer_opened().is_err() {
        return;
    }
    while !feed.is_empty() {
        let length = usize::from(feed.byte()) << (feed.byte() & 3);
        liar.send(feed.take(length));
        if !survives(&mut *supervisor, &mut feed) {
            return;
        }
    }
}

/// A worker's end that sends anything.
enum Liar {
    Pipe { sender: OwnedFd, _receiver: OwnedFd },
    Queue { sender: QueueSender, _receiver: OwnedFd },
    Channel { sender: IpcBytesSender, _receiver: IpcBytesReceiver },
}

impl Liar {
    fn new(transport: Transport, text: &[u8], fds: Vec<OwnedFd>) -> Self {
        let mut fds = fds.into_iter();
        let mut next = || fds.next().expect("a descriptor");
        match transport {
            Transport::Mqueue => {
                let (receiver, sender) = (next(), next());
                Self::Queue { sender: QueueSender::from_fd(sender).expect("a queue"), _receiver: receiver }
            }
            Transport::Channel => {
                let (their_sender, receiver) = bytes_channel().expect("a channel");
                let (sender, their_receiver) = bytes_channel().expect("a channel");
                let text = std::str::from_utf8(text).expect("text");
                let path = text.split(' ').nth(1).expect("a path").to_owned();
                let bootstrap: IpcSender<Option<(IpcBytesSender, IpcBytesReceiver)>> =
                    IpcSender::connect(path).expect("the supervisor listens");
                bootstrap.send(Some((their_sender, their_receiver))).expect("the supervisor listens");
                Self::Channel { sender, _receiver: receiver }
            }
            Transport::Pipe | Transport::Shm | Transport::ShmNamed => {
                let (receiver, sender) = (next(), next());
                fd::set_nonblocking(&sender, true).expect("a pipe");
                Self::Pipe { sender, _receiver: receiver }
            }
        }
    }

    /// What does not fit is lost, as with a worker that dies.
    fn send(&self, bytes: &[u8]) {
        match self {
            Self::Pipe { sender, .. } => drop(fd::write_some(sender, bytes)),
            Self::Queue { sender, .. } => drop(sender.send(&bytes[..bytes.len().min(1024)])),
            Self::Channel { sender, .. } => drop(sender.send(bytes)),
        }
    }
}
