//! The rows of a store that cannot be trusted: read, told, and restored into a machine whose invariants hold.

use tally_machine::action::Profile;
use tally_machine::{Event, Machine, Moment, Rights, Settings, Who};
use tally_protocol::control::Request;
use tally_protocol::job::{StartMethod, Transport};
use tally_protocol::locks::handover::HandedLocks;
use tally_protocol::record::{Saved, Table};
use tally_protocol::{ClientId, JobId};

use crate::feed::Feed;

const TABLES: [Table; 5] = [Table::Meta, Table::Jobs, Table::Progress, Table::Outcomes, Table::Objects];

/// Rows one after the other: table, key, length in two bytes, bytes. The last bytes are locks that were handed over.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let mut rows = Vec::new();
    let last = loop {
        let choice = feed.byte();
        if feed.is_empty() || choice == 255 {
            break feed.rest();
        }
        let table = TABLES[usize::from(choice) % TABLES.len()];
        let key = u64::from(feed.byte());
        let length = usize::from(feed.byte()) | usize::from(feed.byte() & 31) << 8;
        rows.push((table, key, feed.take(length).to_vec()));
    };
    drop(HandedLocks::from_bytes(last));
    let saved = Saved::read(rows);
    let profile = Profile {
        transport: Transport::Shm,
        start: StartMethod::Forkserver,
        nice: 0,
        memory_limit_bytes: None,
        job: None,
    };
    let settings = Settings { durable: true, ..Settings::new(2, profile) };
    let mut machine = Machine::restore(Moment(0), settings, saved);
    machine.check();
    let client = ClientId(1);
    machine.handle(Moment(1), Event::ClientCame { client, who: Who { uid: 0, rights: Rights::Operate } });
    for request in [Request::Jobs { all: true, after: None }, Request::Dump, Request::Show(JobId(1))] {
        machine.handle(Moment(2), Event::ClientSaid { client, request, more: false });
        while machine.next_action().is_some() {}
        machine.check();
    }
    for seconds in 1..4 {
        machine.handle_timeout(Moment(seconds * 1_000_000_000));
        machine.check();
    }
}
