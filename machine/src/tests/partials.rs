//! Which partials count: exactly those of a lease that is held, once.

use tally_protocol::error::ErrorCode;
use tally_protocol::job::JobRequest;
use tally_protocol::site::Site;
use tally_protocol::work::{Complaint, FromWorker};
use tally_reduce::{Integer, Partial, Reduction};

use super::bench::lease;
use super::{Bench, request, settings};
use crate::Settings;
use crate::moment::Span;

const NOTHING: [&str; 0] = [];

/// Two workers, each with its own half of 0..10.
fn halves() -> Bench {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..10", 2));
    assert_eq!(bench.ready(1), ["to w1: job j1", "to w1: lease j1/0.1 0+5"]);
    assert_eq!(bench.ready(2), ["to w2: job j1", "to w2: lease j1/1.1 5+5"]);
    bench
}

fn altered(said: FromWorker, to: &str) -> FromWorker {
    match said {
        FromWorker::Partial { elements, busy_ns, state, .. } => {
            FromWorker::Partial { lease: lease(to), elements, busy_ns, state }
        }
        other => other,
    }
}

#[test]
fn a_partial_counts_once() {
    let mut bench = halves();
    assert_eq!(bench.partial(1, "j1/0.1"), NOTHING);
    assert_eq!(bench.partial(1, "j1/0.1"), NOTHING, "dropped and counted as late");
    assert_eq!(bench.partial(2, "j1/1.1"), ["to w1: forget j1", "to w2: forget j1", "c1 <- j1 done sum=45"]);
    assert_eq!(bench.view(1).late, 1);
}

#[test]
fn a_partial_of_another_worker_or_attempt_or_job_does_not_count() {
    let mut bench = halves();
    assert_eq!(bench.partial(2, "j1/0.1"), NOTHING, "that is the lease of the first worker");
    let right = bench.right("j1/0.1");
    for other in ["j1/0.2", "j1/7.1", "j9/0.1"] {
        assert_eq!(bench.said(1, altered(right.clone(), other)), NOTHING, "{other}");
    }
    assert_eq!(bench.view(1).late, 3, "the one of the unknown job is counted for the supervisor only");
    assert_eq!(bench.view(1).elements_done, "0");
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.partial(2, "j1/1.1").last().unwrap(), "c1 <- j1 done sum=45");
}

#[test]
fn a_partial_that_cannot_be_costs_its_worker_its_life_and_the_partition_an_attempt() {
    let bench = halves();
    let FromWorker::Partial { lease, elements, busy_ns, state } = bench.right("j1/0.1") else { panic!() };
    let mut other = Partial::identity(&[Reduction::Max]);
    assert!(other.absorb_progression(&Integer::from(0), &Integer::from(1), 5, &mut |_| true));
    let wrong = [
        FromWorker::Partial { lease, elements, busy_ns, state: Vec::new() },
        FromWorker::Partial { lease, elements: elements + 1, busy_ns, state: state.clone() },
        FromWorker::Partial { lease, elements, busy_ns, state: other.to_bytes() },
        FromWorker::Partial {
            lease,
            elements,
            busy_ns,
            state: Partial::identity(&[Reduction::Sum]).to_bytes(),
        },
    ];
    for said in wrong {
        let mut bench = halves();
        assert_eq!(bench.said(1, said), ["kill w1"]);
        assert_eq!(bench.partial(1, "j1/0.1"), NOTHING, "nothing it says counts any more");
        assert_eq!(bench.exited(1, "killed by SIGKILL"), ["spawn w3 in 0"]);
        assert_eq!(bench.ready(3), ["to w3: job j1", "to w3: lease j1/0.2 0+5"]);
        assert_eq!(bench.view(1).retries, 1);
        let what = bench.view(1).incidents[0].what.clone();
        assert!(what.starts_with("it sent a partial"), "{what}");
    }
}

#[test]
fn a_partial_of_a_lease_that_was_taken_away_is_late() {
    let mut bench = halves();
    assert_eq!(bench.exited(1, "killed by SIGKILL"), ["spawn w3 in 0"]);
    assert_eq!(bench.partial(1, "j1/0.1"), NOTHING, "its worker is gone");
    assert_eq!(bench.ready(3), ["to w3: job j1", "to w3: lease j1/0.2 0+5"]);
    let old = bench.right("j1/0.1");
    assert_eq!(bench.said(3, old), NOTHING, "the first attempt is over");
    bench.partial(2, "j1/1.1");
    assert_eq!(bench.partial(3, "j1/0.2").last().unwrap(), "c1 <- j1 done sum=45");
    assert_eq!(bench.view(1).late, 2);
    assert_eq!(bench.view(1).retries, 0, "it had not begun, so nobody was to blame");
}

#[test]
fn a_worker_killed_for_its_silence_may_still_be_heard() {
    let quick = Settings { lease: Span::ms(50), ..settings(1) };
    let mut bench = Bench::new(quick);
    bench.submit(1, request("0..10", 1));
    bench.ready(1);
    bench.started(1, "j1/0.1");
    assert_eq!(bench.later(49), NOTHING);
    assert_eq!(bench.later(1), ["kill w1"]);
    assert_eq!(bench.partial(1, "j1/0.1"), ["c1 <- j1 done sum=45"], "it was in the link when it died");
    assert_eq!(bench.exited(1, "killed by SIGKILL"), NOTHING);
}

#[test]
fn each_word_extends_the_time_a_worker_may_be_silent() {
    let quick = Settings { lease: Span::ms(50), ..settings(1) };
    let mut bench = Bench::new(quick);
    bench.submit(1, request("0..10", 2));
    bench.ready(1);
    bench.later(40);
    bench.started(1, "j1/0.1");
    assert_eq!(bench.later(40), NOTHING);
    assert_eq!(bench.said(1, FromWorker::Progress { lease: lease("j1/0.1"), done: 3 }), NOTHING);
    assert_eq!(bench.view(1).elements_done, "3");
    assert_eq!(bench.later(40), NOTHING);
    assert_eq!(bench.partial(1, "j1/0.1"), NOTHING);
    assert_eq!(bench.later(49), NOTHING, "the next lease has its own time");
    assert_eq!(bench.later(1), ["kill w1"]);
}

fn no_answer(partition: &str, why: &str) -> FromWorker {
    FromWorker::Failed { lease: lease(partition), complaint: Box::new(Complaint::new(why)) }
}

#[test]
fn a_kernel_that_fails_ends_its_job_and_names_the_range() {
    let mut bench = halves();
    assert_eq!(
        bench.said(1, no_answer("j1/0.1", "divide 7 by zero")),
        [
            "to w1: forget j1",
            "to w2: cancel j1/1.1",
            "to w2: forget j1",
            "c1 <- j1 failed: could not divide 7 by zero (range 0..5)"
        ]
    );
    assert_eq!(bench.cancelled(2, "j1/1.1"), NOTHING);
    assert_eq!(bench.machine.next_deadline(), None);
}

/// What is wrong with the words of the job has another code; and where the place is named, the range need not be.
#[test]
fn a_failure_says_whose_fault_it_is_and_where() {
    for (usage, site, code, message) in [
        (true, None, ErrorCode::BadUsage, "could not be"),
        (false, None, ErrorCode::KernelFailed, "could not be (range 0..5)"),
        (false, Some(Site::of_element(&3)), ErrorCode::BadData, "could not be"),
    ] {
        let mut bench = halves();
        let complaint = Box::new(Complaint { usage, site: site.clone(), ..Complaint::new("be") });
        bench.said(1, FromWorker::Failed { lease: lease("j1/0.1"), complaint });
        let failure = bench.view(1).error.unwrap();
        assert_eq!((failure.code, failure.message.as_str(), failure.exit), (code, message, code.exit()));
        assert_eq!((failure.range.as_deref(), failure.site.map(|site| *site)), (Some("0..5"), site));
    }
}

/// Something before the partition that fails may have no answer either, and the first is told.
#[test]
fn what_lies_before_a_failure_is_folded_first() {
    let mut bench = halves();
    assert_eq!(bench.said(2, no_answer("j1/1.1", "divide 7 by zero")), NOTHING);
    let ended = bench.partial(1, "j1/0.1");
    assert_eq!(
        ended,
        ["to w1: forget j1", "to w2: forget j1", "c1 <- j1 failed: could not divide 7 by zero (range 5..10)"]
    );
    let mut bench = halves();
    assert_eq!(bench.said(2, no_answer("j1/1.1", "divide 7 by zero")), NOTHING);
    let ended = bench.said(1, no_answer("j1/0.1", "divide 2 by zero"));
    assert_eq!(
        ended.last().map(String::as_str),
        Some("c1 <- j1 failed: could not divide 2 by zero (range 0..5)")
    );
    assert_eq!(bench.machine.next_deadline(), None);
}

#[test]
fn words_that_make_no_sense_harm_nobody() {
    let mut bench = halves();
    for said in [
        FromWorker::Ready,
        FromWorker::Started { lease: lease("j1/1.1") },
        FromWorker::Started { lease: lease("j7/0.1") },
        FromWorker::Progress { lease: lease("j1/1.1"), done: u64::MAX },
        FromWorker::Progress { lease: lease("j1/0.1"), done: u64::MAX },
        FromWorker::Failed { lease: lease("j1/1.1"), complaint: Box::new(Complaint::new("be")) },
        FromWorker::Cancelled { lease: lease("j1/1.1") },
    ] {
        assert_eq!(bench.said(1, said.clone()), NOTHING, "{said:?}");
        assert_eq!(bench.said(77, said.clone()), NOTHING, "{said:?} of a stranger");
    }
    assert_eq!(bench.cancelled(1, "j1/0.1"), ["kill w1"], "a lease given back unasked");
}

#[test]
fn the_breakdown_adds_up() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, JobRequest { breakdown: true, ..request("0..12", 4) });
    bench.ready(1);
    bench.ready(2);
    bench.partial(1, "j1/0.1");
    bench.partial(1, "j1/1.1");
    bench.partial(2, "j1/2.1");
    bench.partial(1, "j1/3.1");
    let view = bench.view(1);
    let shares: Vec<_> = view
        .workers
        .iter()
        .map(|share| (share.pid, share.partitions, share.ranges.join(" "), share.results[0].value.clone()))
        .collect();
    assert_eq!(
        shares,
        [(101, 3, "0..6 9..12".to_owned(), "45".to_owned()), (102, 1, "6..9".to_owned(), "21".to_owned())]
    );
}

#[test]
fn a_column_that_is_of_floats_after_all_starts_the_job_over_once() {
    let found = |at: &str| FromWorker::NotIntegers { lease: lease(at), column: "v".into() };
    let over = || {
        let mut bench = halves();
        assert_eq!(bench.partial(1, "j1/0.1"), NOTHING);
        let said = bench.said(2, found("j1/1.1"));
        for line in ["to w1: forget j1", "to w2: forget j1", "to w2: job j1", "to w2: lease j1/0.2 0+5"] {
            assert!(said.iter().any(|one| one == line), "{line}: {said:?}");
        }
        assert_eq!(bench.view(1).elements_done, "0", "nothing of before counts");
        let right = bench.right("j1/1.2");
        assert_eq!(bench.said(1, altered(right, "j1/0.1")), NOTHING, "nor does what comes late");
        bench.partial(1, "j1/1.2");
        bench
    };
    assert_eq!(over().partial(2, "j1/0.2").last().unwrap(), "c1 <- j1 done sum=45");
    let again = over().said(2, found("j1/0.2"));
    assert!(again.last().unwrap().contains("could not read column 'v' as floats"), "{again:?}");
}
