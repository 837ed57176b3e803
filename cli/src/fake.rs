//! Made-up jobs, and a supervisor in a thread that plays a script. For tests only.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use crate::roles::{Roles, SettingsReading, Words};
use crate::studies::Studies;
use tally_protocol::control::{Reply, Request};
use tally_protocol::error::Failure;
use tally_protocol::ids::{JobId, SlotId};
use tally_protocol::job::{JobState, StartMethod, Transport};
use tally_protocol::limits;
use tally_protocol::varlink::{self, Call, Splitter};
use tally_protocol::view::{JobView, PartitionCounts, ResultView, WorkerShare};

pub(crate) fn result(reduction: &str, value: &str) -> ResultView {
    let kind = if value.contains('.') { "float" } else { "integer" };
    ResultView::new(reduction, kind, value.into())
}

pub(crate) fn share(slot: u16, ranges: &[&str], elements: &str, results: &[(&str, &str)]) -> WorkerShare {
    WorkerShare {
        slot: SlotId(slot),
        pid: 100 + u32::from(slot),
        partitions: 1,
        elements: elements.into(),
        busy_ms: 250,
        ranges: ranges.iter().map(|&range| range.to_owned()).collect(),
        results: results.iter().map(|(name, value)| result(name, value)).collect(),
    }
}

/// `sum 0..10` with half of it done.
pub(crate) fn job_running() -> JobView {
    JobView {
        job: JobId(1),
        state: JobState::Running,
        reductions: vec!["sum".into()],
        sources: vec!["0..10".into()],
        step: None,
        of: None,
        filter: None,
        by: Vec::new(),
        results: Vec::new(),
        groups: None,
        error: None,
        elements: "10".into(),
        elements_done: "5".into(),
        skipped: None,
        made_nan: None,
        bytes: None,
        bytes_done: None,
        elapsed_ms: 250,
        submitted_at_ms: 1_700_000_000_000,
        ended_at_ms: None,
        rate_per_s: Some(20),
        eta_ms: Some(250),
        partitions: PartitionCounts { done: 1, leased: 1, queued: 0, total: None },
        workers: Vec::new(),
        retries: 0,
        late: 0,
        priority: 0,
        detached: false,
        transport: Transport::Shm,
        start: StartMethod::Forkserver,
        mode: "processes".into(),
        incidents: Vec::new(),
        uid: None,
        stored: None,
        note: None,
        history: None,
        command: None,
    }
}

pub(crate) fn job_done(reduction: &str, value: &str) -> JobView {
    JobView {
        state: JobState::Done,
        reductions: vec![reduction.into()],
        results: vec![result(reduction, value)],
        elements_done: "10".into(),
        rate_per_s: None,
        eta_ms: None,
        ..job_running()
    }
}

pub(crate) fn job_failed(error: Failure) -> JobView {
    JobView { state: JobState::Failed, error: Some(error), rate_per_s: None, eta_ms: None, ..job_running() }
}

/// What the fake supervisor does for one request.
#[derive(Debug)]
pub(crate) enum Act {
    /// Answers, and says whether more follow.
    Say(Reply, bool),
    /// Sends these bytes.
    Bytes(Vec<u8>),
    /// Takes the next request.
    Listen,
    /// Closes the connection.
    HangUp,
}

/// A supervisor that plays a script on one connection and returns the requests it heard.
pub(crate) fn supervisor(script: Vec<Act>) -> (UnixStream, JoinHandle<Vec<Request>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (ours, std::thread::spawn(move || play(theirs, script)))
}

/// Plays a script: each request heard is answered by the acts up to the next `Listen`. After the script it
/// reads until the client hangs up.
pub(crate) fn play(mut stream: UnixStream, script: Vec<Act>) -> Vec<Request> {
    let mut heard = Vec::new();
    let mut splitter = Splitter::new(limits::REQUEST_BYTES_MAX);
    for act in script {
        match act {
            Act::Listen => heard.extend(listen(&mut stream, &mut splitter)),
            Act::Say(reply, continues) => {
                let mut bytes = Vec::new();
                varlink::encode(&reply.to_message(continues), &mut bytes).unwrap();
                stream.write_all(&bytes).unwrap();
            }
            Act::Bytes(bytes) => stream.write_all(&bytes).unwrap(),
            Act::HangUp => return heard,
        }
    }
    while let Some(request) = listen(&mut stream, &mut splitter) {
        heard.push(request);
    }
    heard
}

fn listen(stream: &mut UnixStream, splitter: &mut Splitter) -> Option<Request> {
    loop {
        if let Some(message) = splitter.next_message().unwrap() {
            let call: Call = varlink::decode(message).unwrap();
            return Some(Request::from_call(call).unwrap());
        }
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).unwrap() {
            0 => return None,
            count => splitter.feed(&buffer[..count]),
        }
    }
}

/// Roles that nobody should need, and settings that are all right.
pub(crate) fn roles() -> Roles<'static> {
    Roles {
        private: &|_| panic!("nobody asked for a supervisor"),
        check: &|_, _| Ok(None),
        fold: &|_, _, _, _| panic!("nobody asked for a fold"),
        daemon: &|_| panic!("nobody asked for a daemon"),
        settings: &|_| SettingsReading::default(),
        store: &|| panic!("nobody asked for the store"),
        studies: Studies {
            run: &|_| panic!("nobody asked for a study"),
            draw: &|_| panic!("nobody asked for a drawing"),
            draw_time: &|_| panic!("nobody asked for a drawing"),
        },
        built_in_settings: "workers = 1\n",
        words: Words { columns: |_| Vec::new(), functions: Vec::new, settings: Vec::new },
    }
}
