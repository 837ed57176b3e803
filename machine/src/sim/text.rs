//! Events and actions in one line each: for traces of failing seeds, and for tests that compare what is done.

use tally_protocol::control::{Reply, Request};
use tally_protocol::job::JobSpec;
use tally_protocol::record::{Change, Table};
use tally_protocol::view::JobView;
use tally_protocol::work::{FromWorker, LeaseId, ToWorker};

use crate::action::{Action, Blow};
use crate::event::Event;

/// An event in one line: `w3: partial j1/0.1 of 10`.
#[must_use]
pub fn event(event: &Event) -> String {
    match event {
        Event::ClientCame { client, who } => format!("c{client}: came as {}, {:?}", who.uid, who.rights),
        Event::ClientSaid { client, request, more } => {
            format!("c{client}: {}{}", self::request(request), if *more { ", more" } else { "" })
        }
        Event::ClientCalls { client } => format!("c{client}: has more to ask"),
        Event::ClientGone { client } => format!("c{client}: gone"),
        Event::Spawned { worker, pid, .. } => format!("w{worker}: spawned as {pid}"),
        Event::StarterLost { workers, why } => {
            let names: Vec<_> = workers.iter().map(|worker| format!("w{worker}")).collect();
            format!("{}: forkserver lost: {why}", names.join(" "))
        }
        Event::SpawnFailed { worker, why } => format!("w{worker}: could not {why}"),
        Event::WorkerSaid { worker, said: what } => format!("w{worker}: {}", said(what)),
        Event::LinkBroken { worker, why } => format!("w{worker}: link broken: {why}"),
        Event::WorkerExited { worker, how, .. } => format!("w{worker}: {how}"),
        Event::StopRequested => "stop requested".to_owned(),
        Event::StopNow => "stop now".to_owned(),
        Event::Recorded { ticket } => format!("recorded {}", ticket.0),
        Event::NotRecorded { ticket, why } => format!("not recorded {}: {why}", ticket.0),
        Event::Concluded { job, answers, .. } => match &**answers {
            Ok(_) => format!("concluded {job}"),
            Err(failure) => format!("concluded {job}: {}", failure.message),
        },
        Event::Reloaded { client, result } => match result {
            Ok(_) => format!("reloaded for c{client}"),
            Err(failure) => format!("not reloaded for c{client}: {}", failure.message),
        },
        Event::Reload(settings) => format!("reload with {} slots", settings.slots),
        Event::HandingOver { locks } => format!("handing over the locks: {locks}"),
        Event::TakingOverObjects(handed) => format!("taking over {} objects", handed.objects.len()),
        Event::TakingOver(handed) => format!("taking over {} locks", handed.resources.len()),
    }
}

fn request(request: &Request) -> String {
    match request {
        Request::Submit(spec) => format!("submit {}", submitted(spec)),
        Request::Start(spec) => format!("start {}", submitted(spec)),
        Request::Next => "next".to_owned(),
        Request::Hello(_) => "hello".to_owned(),
        Request::Jobs { all, .. } => format!("jobs{}", if *all { " --all" } else { "" }),
        Request::Show(job) => format!("show {job}"),
        Request::ShowHistory(job) => format!("show {job} with history"),
        Request::Top(_) => "top".to_owned(),
        Request::Explain(job) => format!("explain {job}"),
        Request::Wait(jobs) => format!("wait {jobs:?}"),
        Request::Result(job) => format!("result {job}"),
        Request::Follow(job) => format!("follow {job}"),
        Request::Cancel { all: true, .. } => "cancel --all".to_owned(),
        Request::Cancel { jobs, all: false } => format!("cancel {jobs:?}"),
        Request::Pause(job) => format!("pause {job}"),
        Request::Resume(job) => format!("resume {job}"),
        Request::Retry(job) => format!("retry {job}"),
        Request::Status => "status".to_owned(),
        Request::Workers => "workers".to_owned(),
        Request::Ping => "ping".to_owned(),
        Request::Drain => "drain".to_owned(),
        Request::Upgrade { .. } => "upgrade".to_owned(),
        Request::Stop { now } => format!("stop{}", if *now { " --now" } else { "" }),
        Request::Dump => "dump".to_owned(),
        Request::Reprioritize { job, priority } => format!("reprioritize {job} {priority}"),
        Request::Reload => "reload".to_owned(),
        Request::Config => "config".to_owned(),
        Request::Metrics => "metrics".to_owned(),
        Request::Lock(request) => format!("{request:?}"),
        Request::Object(request) => {
            let (method, parameters) = request.to_call();
            format!("{method} {parameters}")
        }
    }
}

fn submitted(spec: &JobSpec) -> String {
    let request = &spec.request;
    let mut text = format!("{} {}", request.reductions.join(","), request.sources.join(","));
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(" {name}={value}"));
        }
    };
    option("partitions", request.partitions.map(|n| n.to_string()));
    option("workers", request.workers.map(|n| n.to_string()));
    option("retries", request.retries.map(|n| n.to_string()));
    option("timeout_ms", request.timeout_ms.map(|n| n.to_string()));
    option("priority", request.priority.map(|n| n.to_string()));
    option("nice", request.nice.map(|n| n.to_string()));
    option("transport", request.transport.map(|t| t.to_string()));
    option("detach", request.detach.then(|| "yes".to_owned()));
    text
}

fn lease(lease: LeaseId) -> String {
    format!("{}/{}.{}", lease.job, lease.partition, lease.attempt)
}

/// What a worker says in a few words: `partial j1/0.1 of 10`.
#[must_use]
pub fn said(said: &FromWorker) -> String {
    match said {
        FromWorker::Ready => "ready".to_owned(),
        FromWorker::Started { lease: id } => format!("started {}", lease(*id)),
        FromWorker::Progress { lease: id, done } => format!("progress {} {done}", lease(*id)),
        FromWorker::Partial { lease: id, elements, .. } => format!("partial {} of {elements}", lease(*id)),
        FromWorker::Broke { lease: id, why, for_good, .. } => {
            format!("broke {}{}: {why}", lease(*id), if *for_good { " for good" } else { "" })
        }
        FromWorker::Surplus { job, why, .. } => format!("surplus of {job}: the command {why}"),
        FromWorker::NotIntegers { lease: id, column } => format!("no integers {}: {column}", lease(*id)),
        FromWorker::Failed { lease: id, complaint } => {
            format!("failed {}: could not {}", lease(*id), complaint.why)
        }
        FromWorker::Cancelled { lease: id } => format!("cancelled {}", lease(*id)),
    }
}

/// What a worker is told in a few words: `lease j1/0.1 0+10`.
#[must_use]
pub fn told(told: &ToWorker) -> String {
    match told {
        ToWorker::Job { job, .. } => format!("job {job}"),
        ToWorker::Lease { lease: id, position, count } => format!("lease {} {position}+{count}", lease(*id)),
        ToWorker::Cancel { lease: id } => format!("cancel {}", lease(*id)),
        ToWorker::Forget { job } => format!("forget {job}"),
        ToWorker::Quit => "quit".to_owned(),
    }
}

/// An action in one line: `to w3: lease j1/0.1 0+10`.
#[must_use]
pub fn action(action: &Action) -> String {
    match action {
        Action::Spawn { worker, slot, profile } if profile.nice == 0 => format!("spawn w{worker} in {slot}"),
        Action::Spawn { worker, slot, profile } => format!("spawn w{worker} in {slot} nice {}", profile.nice),
        Action::Send { worker, message } => format!("to w{worker}: {}", told(message)),
        Action::Signal { worker, blow: Blow::Term } => format!("term w{worker}"),
        Action::Signal { worker, blow: Blow::Kill } => format!("kill w{worker}"),
        Action::Reply { client, reply: what, continues } => {
            format!("c{client} <- {}{}", reply(what), if *continues { " ..." } else { "" })
        }
        Action::Reload { client } => format!("reload for c{client}"),
        Action::Config { client } => format!("config for c{client}"),
        Action::Metrics { client } => format!("metrics for c{client}"),
        Action::Upgrade { client, .. } => format!("upgrade for c{client}"),
        Action::Record { ticket, changes } => {
            let changes: Vec<String> = changes.iter().map(change).collect();
            format!("record {}: {}", ticket.0, changes.join(", "))
        }
        Action::Conclude { job, .. } => format!("conclude {job}"),
        Action::Exit => "exit".to_owned(),
    }
}

fn change(change: &Change) -> String {
    match change {
        Change::Put(Table::Meta, 0, _) => "ids".to_owned(),
        Change::Put(Table::Meta, ..) => "fences".to_owned(),
        Change::Put(table, key, _) => format!("{table} j{key}"),
        Change::Delete(table, key) => format!("no {table} j{key}"),
    }
}

fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Hello(version) => format!("hello {version}"),
        Reply::Job(view) => job(view),
        Reply::Started(job) => format!("started {job}"),
        Reply::Jobs(views) | Reply::Listed { jobs: views, .. } => {
            views.iter().map(job).collect::<Vec<_>>().join("; ")
        }
        Reply::Explanation { job: view, reasons } => format!("{}: {}", view.job, reasons.join(" / ")),
        Reply::Status(status) => format!("status {}", status.phase),
        Reply::Workers(workers) => {
            workers.iter().map(|worker| worker.state.clone()).collect::<Vec<_>>().join(", ")
        }
        Reply::Top(top) => format!("top of {}", top.matched),
        Reply::Dump(_) => "dump".to_owned(),
        Reply::Reloaded(view) => format!("reloaded: {}", view.summary()),
        Reply::Config(_) => "config".to_owned(),
        Reply::Metrics(_) => "metrics".to_owned(),
        Reply::Lock(reply) => format!("{reply:?}"),
        Reply::Done => "done".to_owned(),
        Reply::Object(_) => reply.to_message(false).parameters.values().map(ToString::to_string).collect(),
        Reply::Refused(failure) => format!("refused: {}", failure.message),
    }
}

fn job(view: &JobView) -> String {
    let mut text = format!("{} {}", view.job, view.state);
    if !view.state.is_over() {
        text.push_str(&format!(" {}/{}", view.elements_done, view.elements));
    }
    for result in &view.results {
        text.push_str(&format!(" {}={}", result.reduction, result.value));
    }
    if let Some(failure) = &view.error {
        text.push_str(&format!(": {}", failure.message));
    }
    text
}
