//! What the root binary lends for `lab` and `compare`: a study by name, and the drawing of a chart.

use std::fmt;

use tally_protocol::error::Failure;

/// Runs studies and draws charts.
#[derive(Clone, Copy)]
pub struct Studies<'a> {
    /// Runs a study with processes of this one, which must have one thread.
    pub run: &'a dyn Fn(&StudyOptions) -> Result<StudyReport, Failure>,
    /// Draws a chart as SVG that stands alone.
    pub draw: &'a dyn Fn(Drawing) -> String,
    /// Draws what workers did over time, in the same way.
    pub draw_time: &'a dyn Fn(TimeDrawing) -> String,
}

impl fmt::Debug for Studies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Studies").finish_non_exhaustive()
    }
}

/// Which study, and with what; what is absent has the study's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StudyOptions {
    /// Its name.
    pub study: String,
    /// Processes.
    pub processes: Option<u32>,
    /// How often each does it.
    pub count: Option<u32>,
    /// Only these locks, by name.
    pub locks: Vec<String>,
    /// The most time for each row of a table.
    pub limit_ms: Option<u64>,
}

/// What a study found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StudyReport {
    /// For people.
    pub text: String,
    /// One object of schema `tally.lab/1` on one line.
    pub json: String,
    /// A drawing, for those that have one.
    pub svg: Option<String>,
    /// Whether what it claims was seen.
    pub holds: bool,
}

/// What is to be drawn as bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    /// One sentence over it.
    pub title: String,
    /// What the values are, with their unit.
    pub unit: String,
    /// The places on the x axis.
    pub labels: Vec<String>,
    /// Names and values; a value for each label.
    pub series: Vec<(String, Vec<f64>)>,
}

/// What workers did over time. Times are milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeDrawing {
    /// One sentence over it.
    pub title: String,
    /// More about it, under that.
    pub about: String,
    /// What a row is: its number comes after it.
    pub row_name: String,
    /// The time that is shown.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// The bars, in any order.
    pub bars: Vec<TimeBar>,
    /// Moments that are marked: deaths of workers.
    pub marks: Vec<TimeMark>,
    /// When the first of `rates` begins.
    pub rates_from_ms: u64,
    /// Values in a row, each over so many milliseconds.
    pub rates: Vec<f64>,
    /// Milliseconds of each.
    pub rate_ms: u64,
    /// What the values are, with their unit.
    pub unit: String,
}

/// One bar of a drawing over time.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeBar {
    /// The row it is in.
    pub row: u32,
    /// Its begin.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// What it means.
    pub kind: TimeBarKind,
    /// More about it, for who points at it.
    pub tip: String,
}

/// A moment that is marked in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeMark {
    /// The row it is in.
    pub row: u32,
    /// When.
    pub at_ms: u64,
    /// More about it, for who points at it.
    pub tip: String,
}

/// What a bar means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBarKind {
    /// Done at the first try.
    Done,
    /// Done, after it had been tried before.
    Again,
    /// Lost with its worker.
    Lost,
    /// It has no answer.
    Failed,
    /// It goes on.
    Running,
}
