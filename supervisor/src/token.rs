//! What a readiness key of the poll stands for.

use tally_protocol::{ClientId, WorkerId};

/// One watched descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The signal stream.
    Signals,
    /// The bell of the store's thread.
    Store,
    /// The bell of the thread that works out answers.
    Answers,
    /// The control socket.
    Listener,
    /// The forkserver's socket.
    Forkserver,
    /// A client's connection.
    Client(ClientId),
    /// A worker's pidfd: readable when it has exited.
    Exit(WorkerId),
    /// A worker's lifeline.
    Lifeline(WorkerId),
    /// A worker's link.
    Doorbell(WorkerId),
    /// A worker's standard error.
    Stderr(WorkerId),
    /// Where scrapers of metrics come in.
    Door,
    /// A scraper's connection.
    Scraper(u64),
    /// A new binary on trial: its pidfd.
    Trial,
    /// Standard input, of a daemon that lives by it.
    Input,
}

const KINDS: u64 = 16;

impl Token {
    /// The key for the poll. Ids stay far below 2^60.
    pub(crate) fn key(self) -> usize {
        let (kind, id) = match self {
            Self::Signals => (0, 0),
            Self::Listener => (1, 0),
            Self::Forkserver => (2, 0),
            Self::Client(client) => (3, client.0),
            Self::Exit(worker) => (4, worker.0),
            Self::Lifeline(worker) => (5, worker.0),
            Self::Doorbell(worker) => (6, worker.0),
            Self::Stderr(worker) => (7, worker.0),
            Self::Door => (8, 0),
            Self::Scraper(scraper) => (9, scraper),
            Self::Trial => (10, 0),
            Self::Store => (11, 0),
            Self::Answers => (12, 0),
            Self::Input => (13, 0),
        };
        usize::try_from(id * KINDS + kind).unwrap_or(usize::MAX - 1)
    }

    /// What a key stands for.
    pub(crate) fn of(key: usize) -> Option<Self> {
        let key = u64::try_from(key).ok()?;
        let id = key / KINDS;
        match key % KINDS {
            0 => Some(Self::Signals),
            1 => Some(Self::Listener),
            2 => Some(Self::Forkserver),
            3 => Some(Self::Client(ClientId(id))),
            4 => Some(Self::Exit(WorkerId(id))),
            5 => Some(Self::Lifeline(WorkerId(id))),
            6 => Some(Self::Doorbell(WorkerId(id))),
            7 => Some(Self::Stderr(WorkerId(id))),
            8 => Some(Self::Door),
            9 => Some(Self::Scraper(id)),
            10 => Some(Self::Trial),
            11 => Some(Self::Store),
            12 => Some(Self::Answers),
            13 => Some(Self::Input),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        let tokens = [
            Token::Signals,
            Token::Listener,
            Token::Forkserver,
            Token::Client(ClientId(9)),
            Token::Exit(WorkerId(1)),
            Token::Lifeline(WorkerId(2)),
            Token::Doorbell(WorkerId(3)),
            Token::Stderr(WorkerId(1 << 40)),
            Token::Door,
            Token::Scraper(7),
            Token::Store,
            Token::Trial,
            Token::Answers,
            Token::Input,
        ];
        for token in tokens {
            assert_eq!(Token::of(token.key()), Some(token));
        }
    }
}
