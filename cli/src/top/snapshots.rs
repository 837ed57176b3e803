//! The whole picture in sizes that terminals have, compared with what was looked at and found good.
//!
//! `TALLY_BLESS=1 cargo test -p tally-cli snapshots` writes them anew.

use tally_protocol::history::{HistoryView, SpanEnd, SpanView};
use tally_protocol::ids::{JobId, SlotId};
use tally_protocol::job::JobState;
use tally_protocol::locks::view::LockView;
use tally_protocol::top::TopQuery;
use tally_protocol::view::JobView;
use tally_sys::tty::Size;

use super::cells::Frame;
use super::frame::{draw, layout};
use super::keys::Key;
use super::model::{Detail, Model};
use super::ui::{Mode, Pane, Ui};
use super::{paint, plain, samples};
use crate::fake;

fn known(jobs: usize, workers: u16) -> (Model, Ui) {
    let mut model = Model::default();
    for second in 0..120_u64 {
        let mut view = samples::view(jobs, workers);
        view.at_ms += second * 1_000;
        for worker in &mut view.workers {
            worker.cpu_ms = worker.cpu_ms.map(|ms| ms + second * (970 + u64::from(worker.slot.0)));
        }
        view.rate_per_s = 812_000_000 - (second % 17) * 30_000_000;
        model.take(view, |_| "ana".to_owned());
    }
    (model, Ui::new(TopQuery::default(), 1_000))
}

fn screen(model: &Model, ui: &Ui, columns: u16, rows: u16, ascii: bool) -> Frame {
    draw(model, ui, Size { columns, rows }, ascii)
}

fn check(name: &str, text: &str) {
    let path = format!("{}/src/top/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("TALLY_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} is another picture now:\n{text}");
}

fn locks() -> Vec<LockView> {
    serde_json::from_value(serde_json::json!([
        { "name": "backup", "kind": "lock",
          "holders": [{ "pid": 900, "uid": 0, "command": "rsync -a /home /mnt", "mode": "exclusive", "fence": 7, "since_ms": 1, "held_ms": 3_200 }],
          "waiters": [{ "pid": 901, "uid": 1000, "command": "tar cf x", "mode": "shared", "since_ms": 1, "waiting_ms": 900 }] },
        { "name": "gpu", "kind": "semaphore", "permits": 3, "free": 1,
          "holders": [{ "pid": 13, "uid": 0, "mode": "permits", "take": 2, "fence": 8, "since_ms": 1, "held_ms": 61_000 }],
          "waiters": [] },
    ]))
    .unwrap()
}

fn job() -> JobView {
    let span = |slot: u16, from_ms, to_ms, how| SpanView {
        slot: SlotId(slot),
        pid: 100,
        from_ms,
        to_ms,
        partitions: 4,
        attempt: 1,
        how,
    };
    let history = HistoryView {
        from_ms: 0,
        to_ms: 10_000,
        grain_ms: 0,
        spans: vec![
            span(0, 0, 9_000, SpanEnd::Done),
            span(0, 9_000, 10_000, SpanEnd::Running),
            span(1, 100, 4_000, SpanEnd::Lost),
            span(1, 5_000, 10_000, SpanEnd::Done),
        ],
        left_out: 0,
        bucket_ms: 1_000,
        done: vec![1, 5, 9, 12, 12, 6, 6, 12, 12, 12],
    };
    JobView {
        job: JobId(417),
        workers: vec![fake::share(0, &[], "500", &[]), fake::share(1, &[], "400", &[])],
        history: Some(Box::new(history)),
        ..fake::job_running()
    }
}

#[test]
fn the_usual_sizes() {
    let (model, ui) = known(12, 8);
    check("80x24", &screen(&model, &ui, 80, 24, false).text());
    check("200x60", &screen(&model, &ui, 200, 60, false).text());
    check("80x24-ascii", &screen(&model, &ui, 80, 24, true).text());
    check("once-100", &plain(&model, &ui, 100, true));
}

#[test]
fn locks_help_and_one_job() {
    let (mut model, mut ui) = known(3, 2);
    model.locks = locks();
    ui.pane = Pane::Locks;
    check("locks-80x24", &screen(&model, &ui, 80, 24, false).text());
    ui.mode = Mode::Help;
    check("help-80x24", &screen(&model, &ui, 80, 24, true).text());
    model.detail = Some(Detail { job: job(), reasons: vec!["2 workers fold it".into()] });
    ui.mode = Mode::Detail(JobId(417));
    check("job-80x24", &screen(&model, &ui, 80, 24, false).text());
}

#[test]
fn every_size_is_drawn_and_every_job_line_is_there() {
    let (mut model, mut ui) = known(200, 64);
    model.locks = locks();
    model.detail = Some(Detail { job: job(), reasons: Vec::new() });
    for columns in [0, 1, 7, 40, 80, 131, 300] {
        for rows in [0, 1, 2, 3, 5, 9, 10, 16, 24, 40, 100] {
            let size = Size { columns, rows };
            for pane in [Pane::Workers, Pane::Locks, Pane::Objects] {
                ui.pane = pane;
                for mode in [Mode::List, Mode::Help, Mode::Detail(JobId(417)), Mode::Confirm(JobId(1))] {
                    ui.mode = mode;
                    assert_eq!(draw(&model, &ui, size, false).size, size);
                }
                let layout = layout(size, &model, &ui);
                assert!(layout.jobs + layout.pane + layout.plot <= usize::from(rows));
            }
        }
    }
    ui.mode = Mode::List;
    ui.pane = Pane::Workers;
    let narrow = screen(&model, &ui, 40, 10, true).text();
    assert!(narrow.contains("j417") && narrow.contains("running"), "{narrow}");
}

#[test]
fn what_is_odd_is_told_in_the_last_line() {
    let (mut model, mut ui) = known(3, 2);
    let last =
        |model: &Model, ui: &Ui| screen(model, ui, 80, 24, true).text().lines().last().unwrap().to_owned();
    ui.press(Key::Letter('c'), &model, 10);
    assert_eq!(last(&model, &ui), "cancel j417? y does it, any other key does not");
    ui.press(Key::Letter('n'), &model, 10);
    assert_eq!(last(&model, &ui), "j417 goes on");
    ui.press(Key::Letter('/'), &model, 10);
    ui.press(Key::Letter('x'), &model, 10);
    assert!(last(&model, &ui).starts_with("find: x_"));
    ui.mode = Mode::List;
    model.lose("12:03:11 UTC");
    assert_eq!(last(&model, &ui), "daemon gone since 12:03:11 UTC, waiting for it");
}

/// A second of work of 64 workers and ten thousand jobs: so little is sent that a slow line keeps up.
#[test]
fn a_look_sends_little() {
    let (mut model, ui) = known(40, 64);
    model.top.matched = 10_000;
    let before = screen(&model, &ui, 80, 24, false);
    let all = paint::paint(None, &before, true).len();
    let mut next = model.top.clone();
    next.at_ms += 1_000;
    next.status.uptime_ms += 1_000;
    for job in next.jobs.iter_mut().filter(|job| job.state == JobState::Running) {
        job.done = (job.done.parse::<u64>().unwrap() + 7).to_string();
        job.eta_ms = job.eta_ms.map(|ms| ms - 1_000);
    }
    model.take(next, |_| String::new());
    let after = screen(&model, &ui, 80, 24, false);
    let changes = paint::paint(Some(&before), &after, true).len();
    assert!(changes < all / 2 && changes < 1_500, "{changes} of {all} bytes");
    assert_eq!(paint::paint(Some(&after), &after, true), "");
}
