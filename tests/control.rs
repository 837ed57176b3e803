//! The control socket: varlink as other programs speak it, jobs from submission to outcome, hostile clients.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use tally_sys::signal::Signal;
use tally_tests::run::send;
use tally_tests::{Client, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

fn request(source: &str) -> Value {
    json!({ "reductions": ["sum"], "sources": [source] })
}

fn detached(source: &str) -> Value {
    json!({ "reductions": ["sum"], "sources": [source], "detach": true })
}

fn state(client: &mut Client, job: &str) -> String {
    let reply = client.call("io.tally.Show", &json!({ "job": job }));
    reply["job"]["state"].as_str().expect("a state").to_owned()
}

#[test]
fn the_service_describes_itself() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    let info = client.call("org.varlink.service.GetInfo", &json!({}));
    assert_eq!(info["interfaces"], json!(["org.varlink.service", "io.tally"]));
    for interface in ["org.varlink.service", "io.tally"] {
        let reply =
            client.call("org.varlink.service.GetInterfaceDescription", &json!({ "interface": interface }));
        let text = reply["description"].as_str().expect("text");
        assert!(text.contains(&format!("interface {interface}\n")));
    }
    let none = json!({});
    let vain = |client: &mut Client, method: &str| client.call_in_vain(method, &none);
    assert_eq!(vain(&mut client, "org.example.Method"), "org.varlink.service.InterfaceNotFound");
    assert_eq!(vain(&mut client, "io.tally.Smu"), "org.varlink.service.MethodNotFound");
    assert_eq!(vain(&mut client, "org.varlink.service.Smu"), "org.varlink.service.MethodNotFound");
    assert_eq!(vain(&mut client, "io.tally.Show"), "org.varlink.service.InvalidParameter");
    assert_eq!(client.call_in_vain("io.tally.Show", &json!({ "job": "j99" })), "io.tally.NoSuchJob");
    let missing = json!({ "interface": "x.y" });
    assert_eq!(
        client.call_in_vain("org.varlink.service.GetInterfaceDescription", &missing),
        "org.varlink.service.InterfaceNotFound"
    );
    daemon.stop();
    world.finish();
}

#[test]
fn versions_are_agreed_on_or_refused() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    assert_eq!(client.call("io.tally.Hello", &json!({ "oldest": 1, "newest": 9 }))["version"], 1);
    assert_eq!(
        client.call_in_vain("io.tally.Hello", &json!({ "oldest": 8, "newest": 9 })),
        "io.tally.VersionMismatch"
    );
    daemon.stop();
    world.finish();
}

#[test]
fn calls_can_be_pipelined_and_oneway() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    client.ask("io.tally.Submit", &json!({ "request": request("0..1e6") }), false);
    client.send(b"{\"method\":\"io.tally.Ping\",\"oneway\":true}\0");
    client.ask("io.tally.Hello", &json!({ "oldest": 1, "newest": 1 }), false);
    assert_eq!(client.hear().expect("a reply")["parameters"]["job"]["results"][0]["value"], "499999500000");
    assert_eq!(client.hear().expect("a reply")["parameters"]["version"], 1);
    daemon.stop();
    world.finish();
}

#[test]
fn a_stream_tells_progress_and_ends_with_the_outcome() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    let first = client.submit(&request("0..2e8"), true);
    assert!(["queued", "running"].contains(&first["state"].as_str().expect("a state")), "{first}");
    let mut last_done = 0;
    loop {
        let reply = client.hear().expect("a reply");
        let job = &reply["parameters"]["job"];
        let done: u64 = job["elements_done"].as_str().expect("text").parse().expect("a number");
        assert!(done >= last_done, "progress goes forward");
        last_done = done;
        if reply["continues"] != json!(true) {
            assert_eq!(
                (&job["state"], &job["results"][0]["value"]),
                (&json!("done"), &json!("19999999900000000"))
            );
            break;
        }
    }
    daemon.stop();
    world.finish();
}

/// A client that finishes sending, as `nc -N` does, still gets its answer.
#[test]
fn a_half_closed_connection_is_answered() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    client.ask("io.tally.Submit", &json!({ "request": request("0..3e7") }), false);
    client.stream.shutdown(std::net::Shutdown::Write).expect("it can be half-closed");
    assert_eq!(client.hear().expect("a reply")["parameters"]["job"]["state"], "done");
    assert_eq!(client.hear(), None);
    daemon.stop();
    world.finish();
}

#[test]
fn a_detached_job_lives_without_its_client() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let job = daemon.client().submit(&detached("0..5e7"), false);
    let name = job["job"].as_str().expect("an id").to_owned();
    let mut client = daemon.client();
    let reply = client.call("io.tally.Wait", &json!({ "jobs": [name] }));
    assert_eq!(reply["jobs"][0]["results"][0]["value"], "1249999975000000");
    assert_eq!(client.call("io.tally.Result", &json!({ "job": name }))["job"]["state"], "done");
    daemon.stop();
    world.finish();
}

#[test]
fn pause_resume_cancel_retry() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    client.submit(&detached("0..4e8"), false);
    let j1 = json!({ "job": "j1" });
    assert_eq!(client.call("io.tally.Pause", &j1)["job"]["state"], "paused");
    let reasons = client.call("io.tally.Explain", &j1)["reasons"].to_string();
    assert!(reasons.contains("paused"), "{reasons}");
    assert_eq!(client.call_in_vain("io.tally.Result", &j1), "io.tally.NotEnded");
    client.call("io.tally.Resume", &j1);
    let cancelled = client.call("io.tally.Cancel", &json!({ "jobs": ["j1"] }));
    assert_eq!(cancelled["jobs"][0]["state"], "cancelled");
    client.call("io.tally.Retry", &j1);
    let reply = client.call("io.tally.Wait", &json!({ "jobs": ["j1"] }));
    assert_eq!(reply["jobs"][0]["results"][0]["value"], "79999999800000000");
    assert_eq!(reply["jobs"][0]["elements_done"], "400000000");
    daemon.stop();
    world.finish();
}

#[test]
fn a_deadline_ends_the_job() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut wanted = request("0..1e15");
    wanted["timeout_ms"] = json!(50);
    let job = daemon.client().submit(&wanted, false);
    assert_eq!((&job["state"], &job["error"]["exit"]), (&json!("timed-out"), &json!(5)));
    // The workers are free again.
    assert_eq!(daemon.client().submit(&request("0..10"), false)["results"][0]["value"], "45");
    daemon.stop();
    world.finish();
}

#[test]
fn a_higher_priority_goes_first() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    client.submit(&detached("0..1e15"), false);
    let mut urgent = request("0..1e6");
    urgent["priority"] = json!(5);
    assert_eq!(client.submit(&urgent, false)["results"][0]["value"], "499999500000");
    assert_eq!(state(&mut client, "j1"), "running");
    client.call("io.tally.Cancel", &json!({ "all": true }));
    daemon.stop();
    world.finish();
}

#[test]
fn a_job_can_ask_for_other_workers_than_the_daemons() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    for (key, value) in [
        ("transport", json!("pipe")),
        ("start", json!("spawn")),
        ("nice", json!(5)),
        ("memory_limit_bytes", json!(1_u64 << 32)),
        ("transport", json!("channel")),
    ] {
        let mut wanted = request("0..1e6");
        wanted[key] = value.clone();
        let job = client.submit(&wanted, false);
        assert_eq!(job["results"][0]["value"], "499999500000", "{key}={value}: {job}");
        assert_eq!(job["retries"], 0, "{key}={value}: {job}");
    }
    daemon.stop();
    world.finish();
}

/// Garbage, half a message, an endless one, a reader that never reads: each costs only itself.
#[test]
fn hostile_clients_cost_only_themselves() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(daemon.client().submit(&request("0..10"), false)["results"][0]["value"], "45");
    let before = proc::descriptors(daemon.pid());

    let mut garbage = daemon.client();
    garbage.send(b"GET / HTTP/1.1\r\n\r\n\0");
    assert_eq!(garbage.hear().expect("a reply")["error"], "org.varlink.service.InvalidParameter");
    assert_eq!(garbage.hear(), None, "it is hung up on");

    let mut half = daemon.client();
    half.send(b"{\"method\":\"io.tal");

    let mut endless = daemon.client();
    let megabyte = vec![b' '; 2 << 20];
    // It is hung up on in the middle.
    std::io::Write::write_all(&mut endless.stream, &megabyte).ok();

    // Asks and asks and never reads.
    let mut deaf = daemon.client();
    deaf.stream.set_nonblocking(true).expect("it can be");
    let mut call = json!({ "method": "org.varlink.service.GetInterfaceDescription", "parameters": { "interface": "io.tally" } })
        .to_string()
        .into_bytes();
    call.push(0);
    for _ in 0..20_000 {
        if std::io::Write::write(&mut deaf.stream, &call).is_err() {
            break;
        }
    }

    let job = daemon.client().submit(&request("0..1e6"), false);
    assert_eq!(job["results"][0]["value"], "499999500000");
    assert!(proc::resident_bytes(daemon.pid()).expect("it lives") < 64 << 20, "memory is bounded");
    drop((half, endless, deaf));
    let mut client = daemon.client();
    until("all hostile clients to be gone", || {
        client.call("io.tally.Ping", &json!({}));
        (proc::descriptors(daemon.pid()) <= before + 1).then_some(())
    });
    daemon.stop();
    world.finish();
}

/// Silent connections make room for one that speaks.
#[test]
fn ten_thousand_silent_connections_do_not_lock_anybody_out() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    tally_sys::limits::raise_open_files().expect("the limit can be raised");
    let mut silent = Vec::new();
    for number in 0..10_000_u32 {
        if silent.len() > 1_500 {
            silent.clear();
        }
        silent.push(std::os::unix::net::UnixStream::connect(daemon.socket()).expect("the daemon accepts"));
        if number % 1_000 == 999 {
            assert_eq!(daemon.client().call("io.tally.Status", &json!({}))["status"]["phase"], "running");
        }
    }
    assert_eq!(daemon.client().submit(&request("0..10"), false)["results"][0]["value"], "45");
    drop(silent);
    daemon.stop();
    world.finish();
}

#[test]
fn no_descriptor_is_lost_over_many_jobs_and_workers() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    let settled = |client: &mut Client| {
        client.await_idle(2);
        proc::descriptors(daemon.pid())
    };
    let before = settled(&mut client);
    for _ in 0..20 {
        // Killed while it folds, so that each is replaced at once.
        client.ask("io.tally.Submit", &json!({ "request": request("0..5e6") }), false);
        if let Some(worker) = world.named("tally-worker").first() {
            send(worker.pid, Signal::Kill);
        }
        client.hear().expect("a reply");
        assert_eq!(daemon.client().submit(&request("0..10"), false)["results"][0]["value"], "45");
    }
    assert_eq!(settled(&mut client), before);
    daemon.stop();
    world.finish();
}

#[test]
fn the_dump_is_json() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    client.submit(&detached("0..1e15"), false);
    let dump = client.call("io.tally.Dump", &json!({}));
    let state: Value = serde_json::from_str(dump["state"].as_str().expect("text")).expect("JSON");
    assert!(state.is_object());
    client.call("io.tally.Stop", &json!({ "now": true }));
    assert_eq!(daemon.finish().code(), 0);
    world.finish();
}

/// The text of a product of hundreds of thousands of numbers takes long: that is nobody else's business.
#[test]
fn a_long_answer_keeps_nobody_waiting() {
    const NUMBER: u64 = 500_000;
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    let product = json!({ "reductions": ["product"], "sources": [format!("1..={NUMBER}")], "detach": true });
    let job = client.submit(&product, false)["job"].as_str().expect("an id").to_owned();
    let mut show = || client.call("io.tally.Show", &json!({ "job": job }))["job"].take();
    let all = NUMBER.to_string();
    let whole = until("all of it", || Some(show()).filter(|job| job["elements_done"] == all.as_str()));
    assert_eq!(whole["state"], "running", "the daemon answers between the last partial and the answer");
    assert_eq!(whole["results"], Value::Null);
    let done = until("its answer", || Some(show()).filter(|job| job["state"] != "running"));
    assert_eq!(done["state"], "done");
    let text = done["results"][0]["value"].as_str().expect("a number").to_owned();
    let here = world.run(["factorial", &NUMBER.to_string(), "--mode", "inline"]);
    assert!(here.stdout.trim() == text, "another answer than without a daemon");
    daemon.stop();
    world.finish();
}
