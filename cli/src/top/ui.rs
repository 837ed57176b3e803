//! What the user looks at, and what each key does: keys in, deeds out. Pure.

use tally_protocol::control::Request;
use tally_protocol::ids::JobId;
use tally_protocol::job::JobState;
use tally_protocol::limits;
use tally_protocol::top::{TopJob, TopQuery, TopSort};

use super::keys::Key;
use super::model::Model;

/// Intervals that the keys + and - go through, in milliseconds.
const INTERVALS_MS: [u64; 8] = [250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/// While another window has the user's attention this one may still be seen, so it is not left to grow old; it is looked at
/// no more often than this.
const ASIDE_MS: u64 = 5_000;

/// What stands under the jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    #[default]
    Workers,
    Locks,
    Objects,
}

/// What keys mean now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    List,
    /// A filter is being typed; what it was before.
    Filter(String),
    /// A job is to be cancelled, if the user is sure.
    Confirm(JobId),
    /// One job fills the screen.
    Detail(JobId),
    Help,
}

/// What the user looks at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ui {
    pub(crate) query: TopQuery,
    pub(crate) pane: Pane,
    pub(crate) mode: Mode,
    /// Which line of the page the keys are about.
    pub(crate) cursor: usize,
    /// The job in it, which the cursor follows.
    selected: Option<JobId>,
    /// Lines of the pane, or of the job that fills the screen, that are scrolled out.
    pub(crate) scrolled: usize,
    pub(crate) frozen: bool,
    /// The terminal has the user's attention, as far as it says.
    pub(crate) focused: bool,
    /// Between two looks, as the user wants it.
    interval_ms: u64,
    /// What the last deed came to, or what the user should know.
    pub(crate) note: Option<String>,
}

/// What a key asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    Nothing,
    /// The picture is another one.
    Draw,
    /// The daemon is asked again, at once.
    Look,
    /// Something is done to a job; the word fits after "could not".
    Do(Box<Request>, &'static str),
    Quit,
}

impl Ui {
    pub(crate) fn new(query: TopQuery, interval_ms: u64) -> Self {
        Self {
            query,
            pane: Pane::default(),
            mode: Mode::default(),
            cursor: 0,
            selected: None,
            scrolled: 0,
            frozen: false,
            focused: true,
            interval_ms,
            note: None,
        }
    }

    /// Between two looks now.
    pub(crate) fn look_every_ms(&self) -> u64 {
        if self.focused { self.interval_ms } else { self.interval_ms.max(ASIDE_MS) }
    }

    /// The job that keys are about.
    pub(crate) fn job<'m>(&self, model: &'m Model) -> Option<&'m TopJob> {
        model.top.jobs.get(self.cursor)
    }

    /// After a new answer: the cursor follows its job, wherever on the page that is now. `lines` are those for jobs.
    pub(crate) fn settle(&mut self, model: &Model, lines: usize) {
        let jobs = &model.top.jobs;
        if let Some(at) = jobs.iter().position(|job| Some(job.job) == self.selected) {
            self.cursor = at;
        }
        self.cursor = self.cursor.min(jobs.len().saturating_sub(1)).min(lines.saturating_sub(1));
        self.selected = self.job(model).map(|job| job.job);
        if jobs.is_empty() && model.top.matched > 0 {
            // The page has run empty: the last one that there is.
            self.query.offset = model.top.matched.saturating_sub(lines as u64);
        }
    }

    /// A key was pressed. `lines` are those that show jobs.
    pub(crate) fn press(&mut self, key: Key, model: &Model, lines: usize) -> Deed {
        match key {
            Key::FocusIn | Key::FocusOut => {
                self.focused = key == Key::FocusIn;
                return if self.focused && !self.frozen { Deed::Look } else { Deed::Draw };
            }
            _ => self.note = None,
        }
        match self.mode.clone() {
            Mode::List => self.in_list(key, model, lines),
            Mode::Filter(before) => self.in_filter(key, before),
            Mode::Confirm(job) => self.in_confirm(key, job),
            Mode::Detail(job) => self.in_detail(key, job, model),
            Mode::Help => {
                self.mode = Mode::List;
                Deed::Draw
            }
        }
    }

    fn in_list(&mut self, key: Key, model: &Model, lines: usize) -> Deed {
        let page = i64::try_from(lines.max(1)).unwrap_or(1);
        match key {
            Key::Up | Key::Letter('k') => self.go(-1, model, lines),
            Key::Down | Key::Letter('j') => self.go(1, model, lines),
            Key::PageUp => self.go(-page, model, lines),
            Key::PageDown => self.go(page, model, lines),
            Key::Home | Key::Letter('g') => self.go(i64::MIN, model, lines),
            Key::End | Key::Letter('G') => self.go(i64::MAX, model, lines),
            Key::Enter | Key::Letter('e') => match self.job(model) {
                Some(job) => {
                    self.mode = Mode::Detail(job.job);
                    self.scrolled = 0;
                    Deed::Look
                }
                None => Deed::Nothing,
            },
            Key::Escape if !self.query.filter.is_empty() => self.filter_by(String::new()),
            Key::Tab => self.show(match self.pane {
                Pane::Workers => Pane::Locks,
                Pane::Locks => Pane::Objects,
                Pane::Objects => Pane::Workers,
            }),
            Key::Letter('w') => self.show(Pane::Workers),
            Key::Letter('l') => self.show(Pane::Locks),
            Key::Letter('o') => self.show(Pane::Objects),
            Key::Letter('[') => self.scroll(-1),
            Key::Letter(']') => self.scroll(1),
            Key::Letter('s') => self.sort_by(1),
            Key::Letter('S') => self.sort_by(-1),
            Key::Letter('i') => {
                self.query.reverse = !self.query.reverse;
                self.first_page()
            }
            Key::Letter('a') => {
                self.query.all = !self.query.all;
                self.first_page()
            }
            Key::Letter('u') => {
                self.query.own = !self.query.own;
                self.first_page()
            }
            Key::Letter('/') => {
                self.mode = Mode::Filter(self.query.filter.clone());
                Deed::Draw
            }
            other => self.in_both(other, model),
        }
    }

    /// Keys that mean the same in the list and where one job fills the screen.
    fn in_both(&mut self, key: Key, model: &Model) -> Deed {
        let job = match &self.mode {
            Mode::Detail(id) => model
                .detail
                .as_ref()
                .map(|known| (known.job.job, known.job.state))
                .or(Some((*id, JobState::Running))),
            _ => self.job(model).map(|job| (job.job, job.state)),
        };
        match (key, job) {
            (Key::Letter('q'), _) => Deed::Quit,
            (Key::Letter('?' | 'h'), _) => {
                self.mode = Mode::Help;
                Deed::Draw
            }
            (Key::Letter(' '), _) => {
                self.frozen = !self.frozen;
                if self.frozen { Deed::Draw } else { Deed::Look }
            }
            (Key::Letter('+'), _) => self.pace(|now| INTERVALS_MS.iter().copied().find(|&ms| ms > now)),
            (Key::Letter('-'), _) => self.pace(|now| INTERVALS_MS.iter().rev().copied().find(|&ms| ms < now)),
            (Key::Letter('p'), Some((id, _))) => Deed::Do(Box::new(Request::Pause(id)), "pause"),
            (Key::Letter('r'), Some((id, _))) => Deed::Do(Box::new(Request::Resume(id)), "resume"),
            (Key::Letter('t'), Some((id, _))) => Deed::Do(Box::new(Request::Retry(id)), "retry"),
            (Key::Letter('c'), Some((id, state))) if !state.is_over() => {
                self.mode = Mode::Confirm(id);
                Deed::Draw
            }
            (Key::Letter('c'), Some((id, state))) => {
                self.note = Some(format!("{id} is {state} already"));
                Deed::Draw
            }
            _ => Deed::Nothing,
        }
    }

    fn in_filter(&mut self, key: Key, before: String) -> Deed {
        let mut filter = self.query.filter.clone();
        match key {
            Key::Enter => {
                self.mode = Mode::List;
                return Deed::Draw;
            }
            Key::Escape => {
                self.mode = Mode::List;
                return self.filter_by(before);
            }
            Key::Erase => drop(filter.pop()),
            Key::Letter(letter) if filter.len() + letter.len_utf8() <= limits::TOP_FILTER_BYTES_MAX => {
                filter.push(letter);
            }
            _ => return Deed::Nothing,
        }
        self.filter_by(filter)
    }

    fn in_confirm(&mut self, key: Key, job: JobId) -> Deed {
        self.mode = Mode::List;
        match key {
            Key::Letter('y' | 'Y') => {
                Deed::Do(Box::new(Request::Cancel { jobs: vec![job], all: false }), "cancel")
            }
            _ => {
                self.note = Some(format!("{job} goes on"));
                Deed::Draw
            }
        }
    }

    fn in_detail(&mut self, key: Key, job: JobId, model: &Model) -> Deed {
        match key {
            Key::Escape | Key::Enter | Key::Letter('q') => {
                self.mode = Mode::List;
                self.scrolled = 0;
                Deed::Look
            }
            Key::Up | Key::Letter('k') => self.scroll(-1),
            Key::Down | Key::Letter('j') => self.scroll(1),
            Key::PageUp => self.scroll(-10),
            Key::PageDown => self.scroll(10),
            Key::Home => self.scroll(isize::MIN),
            other => {
                debug_assert_eq!(self.mode, Mode::Detail(job));
                self.in_both(other, model)
            }
        }
    }

    /// Moves the cursor, over the edges of the page to the next one.
    fn go(&mut self, by: i64, model: &Model, lines: usize) -> Deed {
        let lines = lines.max(1) as u64;
        let last = model.top.matched.saturating_sub(1);
        let at = self.query.offset.saturating_add(self.cursor as u64);
        let to = at.saturating_add_signed(by).min(last);
        let offset = match to {
            to if to < self.query.offset => to,
            to if to >= self.query.offset + lines => to + 1 - lines,
            _ => self.query.offset,
        };
        let turned = offset != self.query.offset;
        self.query.offset = offset;
        self.cursor = usize::try_from(to - offset).unwrap_or(0);
        self.selected = if turned { None } else { self.job(model).map(|job| job.job) };
        if turned { Deed::Look } else { Deed::Draw }
    }

    fn scroll(&mut self, by: isize) -> Deed {
        self.scrolled = self.scrolled.saturating_add_signed(by);
        Deed::Draw
    }

    fn show(&mut self, pane: Pane) -> Deed {
        self.pane = pane;
        self.scrolled = 0;
        Deed::Look
    }

    fn sort_by(&mut self, by: isize) -> Deed {
        let all = TopSort::ALL;
        let at = all.iter().position(|&sort| sort == self.query.sort).unwrap_or(0);
        let to = (at + all.len()).saturating_add_signed(by) % all.len();
        self.query.sort = all[to];
        self.first_page()
    }

    fn filter_by(&mut self, filter: String) -> Deed {
        self.query.filter = filter;
        self.first_page()
    }

    fn first_page(&mut self) -> Deed {
        self.query.offset = 0;
        self.cursor = 0;
        self.selected = None;
        Deed::Look
    }

    fn pace(&mut self, next: impl Fn(u64) -> Option<u64>) -> Deed {
        self.interval_ms = next(self.interval_ms).unwrap_or(self.interval_ms);
        self.note = Some(format!("a look every {}", crate::show::number::duration(self.interval_ms)));
        Deed::Look
    }
}

#[cfg(test)]
#[path = "ui_tests.rs"]
mod tests;
