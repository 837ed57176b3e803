//! What a study found: tables, lines, what was wrong and what cures it; as text for people and as JSON for programs.
//!
//! Cells know their unit, so that both forms come from one place.

use crate::chart::Chart;
use crate::json;

/// Columns of running text.
const COLUMNS: usize = 80;

/// What a study found.
#[derive(Clone, Debug)]
pub struct Report {
    study: &'static str,
    options: Vec<(&'static str, u64)>,
    parts: Vec<Part>,
    wrong: String,
    cure: String,
    holds: bool,
    chart: Option<Chart>,
}

#[derive(Clone, Debug)]
enum Part {
    Table(Table),
    Lines { key: &'static str, title: String, lines: Vec<String> },
}

/// A table with typed cells.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    key: &'static str,
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// Words.
    Text(String),
    /// A count.
    Count(u64),
    /// A time; the column's name ends in `_us` in JSON.
    Us(u64),
    /// A short time; `_ns` in JSON.
    Ns(u64),
    /// Something for each second.
    PerSecond(u64),
    /// Per cent.
    Percent(u64),
    /// Unknown or without meaning here.
    Nothing,
}

impl Cell {
    /// Words.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A time from nanoseconds.
    pub(crate) fn ns(ns: u64) -> Self {
        Self::Us(ns / 1_000)
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(*count),
            Self::Us(us) => time(*us),
            Self::Ns(ns) if *ns < 10_000 => format!("{} ns", grouped(*ns)),
            Self::Ns(ns) => time(*ns / 1_000),
            Self::PerSecond(rate) => format!("{} /s", grouped(*rate)),
            Self::Percent(percent) => format!("{percent}%"),
            Self::Nothing => "-".to_owned(),
        }
    }

    fn json(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Text(text) => Some(("", json::text(text))),
            Self::Count(count) => Some(("", count.to_string())),
            Self::Us(us) => Some(("_us", us.to_string())),
            Self::Ns(ns) => Some(("_ns", ns.to_string())),
            Self::PerSecond(rate) => Some(("_per_s", rate.to_string())),
            Self::Percent(percent) => Some(("_percent", percent.to_string())),
            Self::Nothing => None,
        }
    }
}

impl Table {
    /// A table; `key` names it in JSON, and so do the columns' names, whose capitals and blanks are for people.
    pub(crate) fn new(key: &'static str, title: impl Into<String>, columns: &[&'static str]) -> Self {
        Self { key, title: title.into(), columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    fn text(&self) -> String {
        let cells: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(Cell::shown).collect()).collect();
        let width = |at: usize| {
            let column = cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            column.chain([self.columns[at].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let right: Vec<bool> = (0..self.columns.len())
            .map(|at| {
                self.rows.iter().all(|row| !matches!(row.get(at), Some(Cell::Text(_))))
                    && !self.rows.is_empty()
            })
            .collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).zip(&right).map(|((cell, &width), &right)| {
                if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
        };
        let mut text = format!("{}\n{}", self.title, line(&mut self.columns.iter().copied()));
        for row in &cells {
            text.push_str(&line(&mut row.iter().map(String::as_str)));
        }
        text
    }

    fn json(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let pairs = self.columns.iter().zip(row).filter_map(|(name, cell)| {
                let (unit, value) = cell.json()?;
                Some((name.to_lowercase().replace([' ', '-'], "_") + unit, value))
            });
            json::object(pairs)
        });
        json::array(rows)
    }
}

impl Report {
    pub(crate) fn new(study: &'static str) -> Self {
        Self {
            study,
            options: Vec::new(),
            parts: Vec::new(),
            wrong: String::new(),
            cure: String::new(),
            holds: true,
            chart: None,
        }
    }

    /// With what it was run.
    pub(crate) fn option(mut self, key: &'static str, value: u64) -> Self {
        self.options.push((key, value));
        self
    }

    /// Adds a table.
    pub(crate) fn table(mut self, table: Table) -> Self {
        self.parts.push(Part::Table(table));
        self
    }

    /// Adds lines under a title.
    pub(crate) fn lines(mut self, key: &'static str, title: impl Into<String>, lines: Vec<String>) -> Self {
        self.parts.push(Part::Lines { key, title: title.into(), lines });
        self
    }

    /// What was wrong, and what cures it.
    pub(crate) fn moral(mut self, wrong: impl Into<String>, cure: impl Into<String>) -> Self {
        self.wrong = wrong.into();
        self.cure = cure.into();
        self
    }

    /// Something the study claims; it holds when all of them do.
    pub(crate) fn claim(mut self, is_true: bool) -> Self {
        self.holds = self.holds && is_true;
        self
    }

    /// How it is drawn.
    pub(crate) fn drawn(mut self, chart: Chart) -> Self {
        self.chart = Some(chart);
        self
    }

    /// Whether what the study claims was seen: a lock that lost an update is a defect.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// How it is drawn, for those that are.
    #[must_use]
    pub fn chart(&self) -> Option<&Chart> {
        self.chart.as_ref()
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Table(table) => text.push_str(&table.text()),
                Part::Lines { title, lines, .. } => {
                    text.push_str(&format!("{title}\n"));
                    lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
                }
            }
            text.push('\n');
        }
        text.push_str(&wrapped(&format!("What was wrong: {}", self.wrong)));
        text.push_str(&wrapped(&format!("What cures it: {}", self.cure)));
        if !self.holds {
            text.push_str("This run did NOT show what it should have.\n");
        }
        text
    }

    /// For programs: one object of schema `tally.lab/1` on one line.
    #[must_use]
    pub fn json(&self) -> String {
        let head = [("schema", json::text("tally.lab/1")), ("study", json::text(self.study))];
        let options = self.options.iter().map(|(key, value)| (*key, value.to_string()));
        let parts = self.parts.iter().map(|part| match part {
            Part::Table(table) => (table.key, table.json()),
            Part::Lines { key, lines, .. } => (*key, json::array(lines.iter().map(|line| json::text(line)))),
        });
        let tail = [
            ("wrong", json::text(&self.wrong)),
            ("cure", json::text(&self.cure)),
            ("holds", self.holds.to_string()),
        ];
        let pairs = head.into_iter().chain(options).chain(parts).chain(tail);
        json::object(pairs.map(|(key, value)| (key.to_owned(), value))) + "\n"
    }
}

/// Lines of at most 80 columns, the further ones indented.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > COLUMNS {
            out.push_str("\n  ");
            column = 2;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
    out
}

/// A count with its thousands set apart.
pub(crate) fn grouped(count: u64) -> String {
    tally_reduce::grouped(&count.to_string())
}

/// A time in the unit that suits it.
pub(crate) fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{} us", grouped(us)),
        10_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let mut table = Table::new("counter", "A counter", &["LOCK", "LOST", "TIME", "LEAST"]);
        table.row(vec![Cell::text("none"), Cell::Count(1_234), Cell::Us(12_345), Cell::Nothing]);
        let lines = vec!["one".to_owned()];
        let report = Report::new("race").option("count", 5).table(table).lines("log", "Log", lines);
        let report = report.moral("this", "that").claim(true).claim(false);
        assert_eq!(
            report.text(),
            "A counter\n  LOCK   LOST     TIME  LEAST\n  none  1,234  12.3 ms      -\n\nLog\n  one\n\n\
             What was wrong: this\nWhat cures it: that\nThis run did NOT show what it should have.\n"
        );
        assert_eq!(
            report.json(),
            "{\"schema\":\"tally.lab/1\",\"study\":\"race\",\"count\":5,\
             \"counter\":[{\"lock\":\"none\",\"lost\":1234,\"time_us\":12345}],\"log\":[\"one\"],\
             \"wrong\":\"this\",\"cure\":\"that\",\"holds\":false}\n"
        );
    }

    #[test]
    fn running_text_is_wrapped() {
        let text = wrapped(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.len() <= COLUMNS) && text.lines().count() == 3, "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("  word")));
    }

    #[test]
    fn times_have_a_unit_that_suits_them() {
        for (us, shown) in [
            (0, "0 us"),
            (9_999, "9,999 us"),
            (10_000, "10.0 ms"),
            (999_999, "999.9 ms"),
            (1_234_567, "1.23 s"),
        ] {
            assert_eq!(time(us), shown);
        }
    }
}
