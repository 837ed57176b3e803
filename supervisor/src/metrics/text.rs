//! OpenMetrics text, family by family.
//!
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>. Names and help are ours; label values are escaped.

use std::fmt::Write as _;

use super::histogram::Histogram;

/// What is served as this.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Info,
}

/// A text that is being written.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // The unit, where there is one, is the last word of the name.
        let unit = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(&format!("_{unit}")));
        let unit = unit.map(|unit| format!("# UNIT {name} {unit}\n")).unwrap_or_default();
        self.0.push_str(&format!("# TYPE {name} {kind}\n{unit}# HELP {name} {help}\n"));
    }

    /// A family whose samples differ in the value of one label.
    pub(super) fn family<'v>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'v str, String)>,
    ) {
        let (word, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Info => ("info", "_info"),
        };
        let mut samples = samples.into_iter().peekable();
        // A family of which there is nothing yet is not there yet.
        if samples.peek().is_some() {
            self.head(name, word, help);
        }
        for (value, number) in samples {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.0.push_str(&format!("{name}{suffix}{{{label}=\"{value}\"}} {number}\n"));
        }
    }

    /// A family of one sample.
    pub(super) fn one(&mut self, name: &str, kind: Kind, help: &str, number: impl std::fmt::Display) {
        let (word, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge | Kind::Info => ("gauge", ""),
        };
        self.head(name, word, help);
        self.0.push_str(&format!("{name}{suffix} {number}\n"));
    }

    /// The same, if the number is known.
    pub(super) fn maybe(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        number: Option<impl std::fmt::Display>,
    ) {
        if let Some(number) = number {
            self.one(name, kind, help, number);
        }
    }

    /// A histogram.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        for (bound, count) in histogram.cumulative() {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), seconds);
            self.0.push_str(&format!("{name}_bucket{{le=\"{bound}\"}} {count}\n"));
        }
        let (count, sum) = (histogram.count(), seconds(histogram.sum_ns()));
        self.0.push_str(&format!("{name}_count {count}\n{name}_sum {sum}\n"));
    }

    /// The whole.
    pub(super) fn end(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

/// Nanoseconds as seconds, exactly: a decimal number with at least one place.
pub(super) fn seconds(ns: u64) -> String {
    let (whole, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
    let mut text = format!("{whole}.");
    if write!(text, "{rest:09}").is_err() {
        return text;
    }
    let kept = text.trim_end_matches('0').len().max(text.len() - 8);
    text.truncate(kept);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds(0), "0.0");
        assert_eq!(seconds(1), "0.000000001");
        assert_eq!(seconds(100_000), "0.0001");
        assert_eq!(seconds(12_500_000_000), "12.5");
        assert_eq!(seconds(10_000_000_000), "10.0");
    }

    #[test]
    fn families_have_type_unit_and_help() {
        let mut text = Text::default();
        text.one("tally_up_seconds", Kind::Gauge, "Since the start.", seconds(1_500_000_000));
        text.family("tally_ends", Kind::Counter, "Ends.", "how", [("a\"b\n", "3".to_owned())]);
        assert_eq!(
            text.end(),
            "# TYPE tally_up_seconds gauge\n# UNIT tally_up_seconds seconds\n# HELP tally_up_seconds Since the start.\n\
             tally_up_seconds 1.5\n# TYPE tally_ends counter\n# HELP tally_ends Ends.\n\
             tally_ends_total{how=\"a\\\"b\\n\"} 3\n# EOF\n"
        );
    }
}
