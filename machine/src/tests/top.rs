//! Pages of a live view, and the history of a job.

use tally_protocol::JobId;
use tally_protocol::control::Request;
use tally_protocol::history::SpanEnd;
use tally_protocol::job::{JobRequest, JobState};
use tally_protocol::top::{TopQuery, TopSort, TopView};

use super::{Bench, request, settings};
use crate::permission::{Rights, Who};

const OPERATOR: Who = Who { uid: 0, rights: Rights::Operate };

fn top(bench: &Bench, query: TopQuery) -> TopView {
    bench.machine.top(OPERATOR, &query)
}

fn ids(view: &TopView) -> Vec<u64> {
    view.jobs.iter().map(|job| job.job.0).collect()
}

fn detached(range: &str, priority: i32) -> JobRequest {
    JobRequest { detach: true, priority: Some(priority), ..request(range, 4) }
}

fn bench_of_six() -> Bench {
    let mut bench = Bench::new(settings(1));
    for job in 1..=6_u64 {
        bench.submit(job, detached(&format!("0..{}", job * 10), i32::try_from(job % 3).unwrap()));
    }
    bench.say(7, Request::Cancel { jobs: vec![JobId(2)], all: false });
    bench.say(7, Request::Pause(JobId(3)));
    bench.ready(1);
    bench
}

#[test]
fn what_runs_comes_first_and_ended_jobs_only_when_asked_for() {
    let bench = bench_of_six();
    let view = top(&bench, TopQuery::default());
    let first = &view.jobs[0];
    assert_eq!((first.state, first.workers), (JobState::Running, 1));
    assert_eq!(view.matched, 5);
    assert!(!ids(&view).contains(&2) && !view.cut_off);
    let all = top(&bench, TopQuery { all: true, ..TopQuery::default() });
    assert_eq!((all.matched, all.jobs.last().map(|job| job.job)), (6, Some(JobId(2))));
    assert_eq!(all.workers.len(), 1);
}

#[test]
fn pages_follow_each_other_in_any_order() {
    let bench = bench_of_six();
    for sort in TopSort::ALL {
        for reverse in [false, true] {
            let query = TopQuery { sort, reverse, all: true, ..TopQuery::default() };
            let whole = ids(&top(&bench, query.clone()));
            assert_eq!(whole.len(), 6);
            let pages: Vec<u64> = (0..4)
                .flat_map(|page| ids(&top(&bench, TopQuery { offset: page * 2, limit: 2, ..query.clone() })))
                .collect();
            assert_eq!(pages, whole, "{sort:?}");
        }
    }
    let by_id = |reverse| ids(&top(&bench, TopQuery { sort: TopSort::Job, reverse, ..TopQuery::default() }));
    assert_eq!(by_id(false), [1, 3, 4, 5, 6]);
    assert_eq!(by_id(true), [6, 5, 4, 3, 1]);
    let first = top(&bench, TopQuery { sort: TopSort::Priority, limit: 1, ..TopQuery::default() });
    assert_eq!((ids(&first), first.matched), (vec![5], 5));
    assert!(
        ids(&top(&bench, TopQuery { offset: u64::MAX, limit: u64::MAX, ..TopQuery::default() })).is_empty()
    );
}

#[test]
fn a_filter_looks_at_ids_states_and_texts() {
    let bench = bench_of_six();
    let found =
        |filter: &str| ids(&top(&bench, TopQuery { filter: filter.to_owned(), ..TopQuery::default() }));
    assert_eq!(found("0..40"), [4]);
    assert_eq!(found("J5"), [5]);
    assert_eq!(found("Paused"), [3]);
    assert_eq!(found("nothing like it"), [0_u64; 0]);
}

#[test]
fn strangers_see_their_own() {
    let bench = bench_of_six();
    let stranger = Who { uid: 4711, rights: Rights::Own };
    let view = bench.machine.top(stranger, &TopQuery { all: true, ..TopQuery::default() });
    assert_eq!((view.matched, view.jobs.len()), (0, 0));
    assert!(view.workers.iter().all(|worker| worker.job.is_none() && worker.range.is_none()));
    let own = TopQuery { own: true, ..TopQuery::default() };
    assert_eq!(bench.machine.top(Who { uid: 4711, rights: Rights::Operate }, &own).matched, 0);
}

#[test]
fn ten_thousand_jobs_cost_a_page_of_them() {
    let mut bench = Bench::new(settings(1));
    for job in 0..10_000 {
        bench.submit(job, JobRequest { detach: true, ..request("0..10", 2) });
    }
    let before = bench.machine.jobs.looks();
    let view = top(&bench, TopQuery { limit: 20, ..TopQuery::default() });
    assert_eq!((view.matched, view.jobs.len()), (10_000, 20));
    assert!(bench.machine.jobs.looks() - before < 10_100);
}

#[test]
fn a_history_has_what_was_done_lost_and_is_under_way() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..8", 4));
    bench.ready(1);
    assert_eq!(bench.machine.jobs.get(JobId(1)).and_then(|job| bench.machine.history_of(job)), None);
    bench.started(1, "j1/0.1");
    bench.later(40);
    bench.partial(1, "j1/0.1");
    bench.started(1, "j1/1.1");
    bench.later(10);
    bench.exited(1, "killed by SIGKILL");
    bench.ready(2);
    bench.later(5);
    let job = bench.machine.jobs.get(JobId(1)).unwrap();
    let history = bench.machine.history_of(job).unwrap();
    let told: Vec<(SpanEnd, u64, u64)> =
        history.spans.iter().map(|span| (span.how, span.from_ms, span.to_ms)).collect();
    assert_eq!(told[..2], [(SpanEnd::Done, 0, 40), (SpanEnd::Lost, 40, 50)], "{history:?}");
    assert_eq!(told[2].0, SpanEnd::Running);
    assert_eq!(history.done.iter().sum::<u64>(), 2);
}
