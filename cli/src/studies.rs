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
