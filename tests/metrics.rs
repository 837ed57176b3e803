//! Metrics: a strict reader takes them, over HTTP and over the control socket; hostile scrapers cost only themselves.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::json;
use tally_sys::signal::Signal;
use tally_tests::{Daemon, PATIENCE_NS, World, openmetrics, proc, run, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A daemon that serves metrics at a port of the system's choice, and the port.
fn daemon(world: &World) -> (Daemon, String) {
    let socket = world.socket();
    let arguments = ["daemon", "--socket", socket.to_str().expect("text"), "--workers", "2"];
    let running = world.start(arguments.into_iter().chain(["--metrics-listen", "127.0.0.1:0"]));
    let line = running.await_line("metrics at http://");
    let address = line.rsplit("http://").next().and_then(|rest| rest.strip_suffix("/metrics"));
    let address = address.expect("an address").to_owned();
    (Daemon::over(running, socket), address)
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the daemon accepts");
    stream.set_read_timeout(Some(Duration::from_nanos(PATIENCE_NS))).expect("it can be set");
    stream
}

/// Status line and body of the answer to these bytes.
fn ask(address: &str, request: &str) -> (String, String) {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("it can be written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it can be read");
    split(&answer)
}

fn split(answer: &str) -> (String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    if !body.is_empty() {
        assert_eq!(length, Some(body.len().to_string().as_str()), "{head}");
    }
    (head.lines().next().unwrap_or("").to_owned(), body.to_owned())
}

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn what_is_served_is_openmetrics_and_tells_the_truth() {
    let world = World::new(BINARY);
    let (daemon, address) = daemon(&world);
    let mut client = daemon.client();
    client.await_idle(2);
    let scrape = || {
        let (status, body) = ask(&address, GET);
        assert_eq!(status, "HTTP/1.1 200 OK");
        openmetrics::parse(&body).unwrap_or_else(|why| panic!("{why}\n{body}"))
    };
    let before = scrape();
    assert_eq!(before["tally_jobs_ended"].value(""), Some(0.0));
    assert_eq!(before["tally_workers"].value("state=\"idle\""), Some(2.0));
    let resident = before["process_resident_memory_bytes"].value("").expect("a number");
    assert!((1e6..1e9).contains(&resident), "{resident}");
    let open = before["process_open_fds"].value("").expect("a number");
    assert!((open - proc::descriptors(daemon.pid()) as f64).abs() <= 2.0, "{open}");
    assert!(before["tally_turn_seconds"].samples.len() > 5);

    run::send(world.named("tally-worker")[0].pid, Signal::Kill);
    until("the loss to be counted", || {
        let lost = scrape()["tally_worker_losses"].value("")?;
        (lost >= 1.0).then_some(())
    });
    let paused = json!({ "reductions": ["sum"], "sources": ["0..1e15"], "detach": true });
    client.submit(&paused, false);
    client.call("io.tally.Pause", &json!({ "job": "j1" }));
    let during = scrape();
    assert_eq!(during["tally_jobs"].value("state=\"paused\""), Some(1.0));
    client.call("io.tally.Cancel", &json!({ "all": true }));
    assert_eq!(scrape()["tally_jobs_ended"].value(""), Some(1.0));

    // A command that fails costs attempts, too, and its help says so.
    let before = scrape()["tally_partitions_retried"].value("").expect("a number");
    let failing = world.ask(["sum", "0..1", "--command", "false {start}", "--retries", "2"]);
    assert_eq!(failing.code(), 1, "{}", failing.stderr);
    let after = scrape();
    assert_eq!(after["tally_partitions_retried"].value(""), Some(before + 1.0));
    assert!(after["tally_partitions_retried"].help.contains("or the command failed"));
    daemon.stop();
    world.finish();
}

#[test]
fn other_requests_are_answered_as_http_wants() {
    let world = World::new(BINARY);
    let (daemon, address) = daemon(&world);
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found"),
        (
            "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
            "HTTP/1.1 405 Method Not Allowed",
        ),
        ("HEAD /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"),
        ("hello\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        ("{\"method\":\"io.tally.Ping\"}\0", "HTTP/1.1 400 Bad Request"),
        ("GET /metrics HTTP/3.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported"),
    ] {
        assert_eq!(ask(&address, request).0, expected, "{request}");
    }
    let (status, body) = ask(&address, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", ""));
    // A second request in the same breath is not answered: one a connection.
    let (_, body) = ask(&address, &format!("{GET}{GET}"));
    assert!(openmetrics::parse(&body).is_ok());
    let long = format!("GET /metrics HTTP/1.1\r\nHost: {}", "x".repeat(9_000));
    assert!(ask(&address, &long).0.starts_with("HTTP/1.1 431 "));
    daemon.stop();
    world.finish();
}

/// Silent ones, slow ones, deaf ones and floods; meanwhile jobs are answered, and so is a scraper that behaves.
#[test]
fn hostile_scrapers_cost_only_themselves() {
    let world = World::new(BINARY);
    let (daemon, address) = daemon(&world);
    let mut client = daemon.client();
    client.await_idle(2);
    let before = proc::descriptors(daemon.pid());
    let mut hostile: Vec<TcpStream> = (0..40).map(|_| connect(&address)).collect();
    for (number, stream) in hostile.iter_mut().enumerate() {
        // Those that had to make room are closed already.
        match number % 4 {
            0 => {}
            1 => drop(stream.write_all(b"GET /metrics HT")),
            2 => drop(stream.write_all(GET.as_bytes())),
            _ => drop(stream.write_all(&vec![b'x'; 1 << 20])),
        }
    }
    let sum = json!({ "reductions": ["sum"], "sources": ["0..1e6"] });
    assert_eq!(daemon.client().submit(&sum, false)["results"][0]["value"], "499999500000");
    assert_eq!(ask(&address, GET).0, "HTTP/1.1 200 OK");
    assert!(proc::descriptors(daemon.pid()) <= before + 20, "they are bounded");
    // Nobody has to go by himself: the slow are cut, in seconds.
    until("the slow to be cut", || {
        client.call("io.tally.Ping", &json!({}));
        (proc::descriptors(daemon.pid()) <= before).then_some(())
    });
    drop(hostile);
    daemon.stop();
    world.finish();
}

#[test]
fn a_unix_socket_serves_as_well_and_leaves_no_file() {
    let world = World::new(BINARY);
    let path = world.path().join("run/metrics.sock");
    let place = format!("unix:{}", path.display());
    let get = |text: &str| {
        let mut stream = UnixStream::connect(&path).expect("the daemon accepts");
        stream.write_all(text.as_bytes()).expect("it can be written");
        stream.shutdown(Shutdown::Write).expect("it can be half-closed");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it can be read");
        split(&answer)
    };
    let daemon = world.daemon(&["--workers", "1", "--metrics-listen", &place]);
    assert!(openmetrics::parse(&get(GET).1).is_ok());
    // What a killed daemon leaves is no hindrance.
    daemon.signal(Signal::Kill);
    assert_eq!(daemon.finish().code(), 137);
    assert!(path.exists());
    let daemon = world.daemon(&["--workers", "1", "--metrics-listen", &place]);
    assert_eq!(get(GET).0, "HTTP/1.1 200 OK");
    daemon.stop();
    world.finish();
}

#[test]
fn only_this_machine_is_served() {
    let world = World::new(BINARY);
    let socket = world.socket();
    let socket = socket.to_str().expect("text");
    let start = |place: &str| world.run(["daemon", "--socket", socket, "--metrics-listen", place]);
    start("0.0.0.0:9184").failed(
        2,
        "tally: could not read the configuration: --metrics-listen: metrics_listen is '0.0.0.0:9184': it is not an \
         address of this machine alone",
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has one").to_string();
    let finished = start(&address);
    assert_eq!(finished.code(), 1);
    let expected = format!("tally: could not serve metrics at {address}: address already in use");
    assert_eq!(finished.stderr.lines().last().map(str::to_lowercase), Some(expected));
    let finished = start("unix:/nowhere/m.sock");
    assert!(
        finished.stderr.contains("could not serve metrics at unix:/nowhere/m.sock: "),
        "{}",
        finished.stderr
    );
    world.finish();
}

#[test]
fn the_control_socket_tells_the_same() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let told = world.ask(["metrics"]);
    assert_eq!((told.code(), told.stderr.as_str()), (0, ""));
    let families = openmetrics::parse(&told.stdout).unwrap_or_else(|why| panic!("{why}\n{}", told.stdout));
    assert_eq!(families["tally_worker_slots"].value(""), Some(1.0));
    daemon.stop();
    world.finish();
}
