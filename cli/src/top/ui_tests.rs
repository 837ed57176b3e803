//! Keys and what they do.

use super::super::samples;
use super::*;

fn ui() -> Ui {
    Ui::new(TopQuery::default(), 1_000)
}

fn model(jobs: usize) -> Model {
    let mut model = Model::default();
    model.take(samples::view(jobs, 2), |uid| uid.to_string());
    model
}

fn press(ui: &mut Ui, model: &Model, keys: &str) -> Deed {
    keys.chars().map(|key| ui.press(Key::Letter(key), model, 10)).last().unwrap()
}

#[test]
fn the_cursor_moves_over_the_edge_of_a_page() {
    let (mut ui, mut model) = (ui(), model(10));
    model.top.matched = 25;
    assert_eq!(ui.press(Key::Up, &model, 10), Deed::Draw);
    for _ in 0..9 {
        assert_eq!(ui.press(Key::Down, &model, 10), Deed::Draw);
    }
    assert_eq!(ui.cursor, 9);
    assert_eq!(ui.press(Key::Down, &model, 10), Deed::Look);
    assert_eq!((ui.query.offset, ui.cursor), (1, 9));
    assert_eq!(ui.press(Key::End, &model, 10), Deed::Look);
    assert_eq!((ui.query.offset, ui.cursor), (15, 9));
    assert_eq!(ui.press(Key::Down, &model, 10), Deed::Draw);
    assert_eq!(ui.press(Key::PageUp, &model, 10), Deed::Look);
    assert_eq!((ui.query.offset, ui.cursor), (14, 0));
    assert_eq!(ui.press(Key::Home, &model, 10), Deed::Look);
    assert_eq!((ui.query.offset, ui.cursor), (0, 0));
}

#[test]
fn the_cursor_follows_its_job() {
    let (mut ui, mut model) = (ui(), model(5));
    ui.settle(&model, 10);
    press(&mut ui, &model, "jj");
    let job = ui.job(&model).unwrap().job;
    model.top.jobs.reverse();
    ui.settle(&model, 10);
    assert_eq!((ui.cursor, ui.job(&model).unwrap().job), (2, job));
    model.top.jobs.remove(0);
    ui.settle(&model, 10);
    assert_eq!((ui.cursor, ui.job(&model).unwrap().job), (1, job));
    model.top.jobs.clear();
    ui.query.offset = 40;
    model.top.matched = 25;
    ui.settle(&model, 10);
    assert_eq!((ui.cursor, ui.query.offset), (0, 15));
}

#[test]
fn a_job_is_cancelled_only_by_who_is_sure() {
    let (mut ui, model) = (ui(), model(3));
    let id = ui.job(&model).unwrap().job;
    press(&mut ui, &model, "c");
    assert_eq!(ui.mode, Mode::Confirm(id));
    assert_eq!(press(&mut ui, &model, "n"), Deed::Draw);
    assert!(ui.note.as_ref().unwrap().contains("goes on"));
    press(&mut ui, &model, "c");
    let cancel = Deed::Do(Box::new(Request::Cancel { jobs: vec![id], all: false }), "cancel");
    assert_eq!(press(&mut ui, &model, "y"), cancel);
    assert_eq!(ui.mode, Mode::List);
}

#[test]
fn jobs_are_paused_resumed_and_tried_again_by_one_key() {
    let (mut ui, model) = (ui(), model(3));
    let id = ui.job(&model).unwrap().job;
    for (key, request, word) in [
        ("p", Request::Pause(id), "pause"),
        ("r", Request::Resume(id), "resume"),
        ("t", Request::Retry(id), "retry"),
    ] {
        assert_eq!(press(&mut ui, &model, key), Deed::Do(Box::new(request), word));
    }
    let empty = Model::default();
    assert_eq!(press(&mut ui, &empty, "p"), Deed::Nothing, "there is no job to do it to");
}

#[test]
fn a_filter_is_typed_kept_and_taken_back() {
    let (mut ui, model) = (ui(), model(3));
    assert_eq!(press(&mut ui, &model, "/"), Deed::Draw);
    assert_eq!(press(&mut ui, &model, "sqm"), Deed::Look, "q is a letter now");
    ui.press(Key::Erase, &model, 10);
    assert_eq!(ui.query.filter, "sq");
    assert_eq!(ui.press(Key::Enter, &model, 10), Deed::Draw);
    press(&mut ui, &model, "/x");
    assert_eq!(ui.press(Key::Escape, &model, 10), Deed::Look);
    assert_eq!((ui.query.filter.as_str(), &ui.mode), ("sq", &Mode::List));
    ui.press(Key::Escape, &model, 10);
    assert_eq!(ui.query.filter, "");
    press(&mut ui, &model, "/");
    for _ in 0..400 {
        press(&mut ui, &model, "ä");
    }
    assert_eq!(ui.query.filter.len(), limits::TOP_FILTER_BYTES_MAX);
}

#[test]
fn orders_go_round_in_both_directions() {
    let (mut ui, model) = (ui(), model(3));
    for sort in TopSort::ALL {
        assert_eq!(ui.query.sort, sort);
        assert_eq!(press(&mut ui, &model, "s"), Deed::Look);
    }
    press(&mut ui, &model, "S");
    assert_eq!(ui.query.sort, TopSort::ALL[9]);
    press(&mut ui, &model, "iau");
    assert!(ui.query.reverse && ui.query.all && ui.query.own);
}

#[test]
fn one_job_fills_the_screen_and_goes_again() {
    let (mut ui, model) = (ui(), model(3));
    let id = ui.job(&model).unwrap().job;
    assert_eq!(ui.press(Key::Enter, &model, 10), Deed::Look);
    assert_eq!(ui.mode, Mode::Detail(id));
    assert_eq!(press(&mut ui, &model, "p"), Deed::Do(Box::new(Request::Pause(id)), "pause"));
    ui.press(Key::Down, &model, 10);
    assert_eq!(ui.scrolled, 1);
    assert_eq!(press(&mut ui, &model, "q"), Deed::Look, "back, not out");
    assert_eq!((&ui.mode, ui.scrolled), (&Mode::List, 0));
    assert_eq!(press(&mut ui, &model, "q"), Deed::Quit);
}

#[test]
fn a_window_that_is_aside_is_looked_at_less_often() {
    let (mut ui, model) = (ui(), model(3));
    press(&mut ui, &model, "+");
    let note = ui.note.clone();
    assert_eq!(ui.press(Key::FocusOut, &model, 10), Deed::Draw);
    assert_eq!((ui.look_every_ms(), &ui.note), (5_000, &note));
    assert_eq!(ui.press(Key::FocusIn, &model, 10), Deed::Look, "it may be old");
    assert_eq!(ui.look_every_ms(), 2_000);
    press(&mut ui, &model, "++++");
    ui.press(Key::FocusOut, &model, 10);
    assert_eq!(ui.look_every_ms(), 60_000, "never more often than it was wanted");
    press(&mut ui, &model, " ");
    assert_eq!(ui.press(Key::FocusIn, &model, 10), Deed::Draw, "what is frozen stays so");
}

#[test]
fn panes_pace_and_rest() {
    let (mut ui, model) = (ui(), model(3));
    press(&mut ui, &model, "l");
    assert_eq!(ui.pane, Pane::Locks);
    ui.press(Key::Tab, &model, 10);
    assert_eq!(ui.pane, Pane::Objects);
    press(&mut ui, &model, "+");
    assert_eq!(ui.interval_ms, 2_000);
    press(&mut ui, &model, "------");
    assert_eq!(ui.interval_ms, INTERVALS_MS[0]);
    assert_eq!(press(&mut ui, &model, " "), Deed::Draw);
    assert!(ui.frozen);
    assert_eq!(press(&mut ui, &model, " "), Deed::Look);
    press(&mut ui, &model, "?");
    assert_eq!(ui.mode, Mode::Help);
    assert_eq!(press(&mut ui, &model, "q"), Deed::Draw, "any key leaves the help");
}
