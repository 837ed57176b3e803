//! A strict reader of OpenMetrics text: what a scraper would choke on is refused here with its line.

use std::collections::{BTreeMap, BTreeSet};

/// One family.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    /// What it is about.
    pub help: String,
    /// The unit, where it has one.
    pub unit: Option<String>,
    /// Samples: name, labels as written, value.
    pub samples: Vec<(String, String, f64)>,
}

/// Reads a whole text.
///
/// # Errors
/// The first line that is wrong, and why.
pub fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current: Option<String> = None;
    let mut seen = BTreeSet::new();
    for line in body.lines() {
        let bad = |why: &str| Err(format!("{why}: {line}"));
        if line.is_empty() || line.contains('\r') {
            return bad("an empty line or a carriage return");
        }
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (Some(what), Some(name), Some(value)) = (words.next(), words.next(), words.next()) else {
                return bad("a line of metadata has three parts");
            };
            if !is_name(name) {
                return bad("no name");
            }
            if what == "TYPE" {
                if families.contains_key(name) {
                    return bad("a family comes once");
                }
                if !["counter", "gauge", "histogram", "info"].contains(&value) {
                    return bad("no type");
                }
                let family = Family { kind: value.to_owned(), ..Family::default() };
                families.insert(name.to_owned(), family);
                current = Some(name.to_owned());
                continue;
            }
            let Some(family) = families.get_mut(name).filter(|_| current.as_deref() == Some(name)) else {
                return bad("metadata of another family");
            };
            if !family.samples.is_empty() {
                return bad("metadata after samples");
            }
            match what {
                "HELP" if family.help.is_empty() && !value.is_empty() => family.help = value.to_owned(),
                "UNIT" if family.unit.is_none() && name.ends_with(&format!("_{value}")) => {
                    family.unit = Some(value.to_owned());
                }
                _ => return bad("metadata that is none, or comes twice"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').ok_or(format!("no value: {line}"))?;
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}').ok_or(format!("open labels: {line}"))?),
            None => (series, ""),
        };
        if !is_name(name) || !labels_are_good(labels) {
            return bad("no series");
        }
        let number: f64 = value.parse().map_err(|_| format!("no number: {line}"))?;
        if !seen.insert(series.to_owned()) {
            return bad("a series comes once");
        }
        let owner = current.clone().ok_or(format!("a sample of no family: {line}"))?;
        let family = families.get_mut(&owner).ok_or("it is there")?;
        let suffixes: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_count", "_sum"],
            _ => &[""],
        };
        if !suffixes.iter().any(|suffix| format!("{owner}{suffix}") == name) {
            return bad("a sample of another family, or without its suffix");
        }
        if number < 0.0 || !number.is_finite() {
            return bad("counts and sizes are not negative");
        }
        family.samples.push((name.to_owned(), labels.to_owned(), number));
    }
    for (name, family) in &families {
        if family.help.is_empty() || family.samples.is_empty() {
            return Err(format!("{name} has no help or no samples"));
        }
        for unit in ["seconds", "bytes"] {
            if name.ends_with(&format!("_{unit}")) && family.unit.as_deref() != Some(unit) {
                return Err(format!("{name} has no unit"));
            }
        }
        if family.kind == "histogram" {
            histogram(name, family)?;
        }
    }
    Ok(families)
}

fn histogram(name: &str, family: &Family) -> Result<(), String> {
    let of = |suffix: &str| {
        let wanted = format!("{name}{suffix}");
        family.samples.iter().filter(move |sample| sample.0 == wanted)
    };
    let (mut bound_before, mut count_before) = (f64::NEG_INFINITY, 0.0);
    for (_, labels, count) in of("_bucket") {
        let bound = labels.strip_prefix("le=\"").and_then(|rest| rest.strip_suffix('"'));
        let bound = match bound {
            Some("+Inf") => f64::INFINITY,
            Some(text) if text.contains('.') => text.parse().map_err(|_| format!("{name}: {labels}"))?,
            _ => return Err(format!("{name}: {labels} is no bound")),
        };
        if bound <= bound_before || *count < count_before {
            return Err(format!("{name}: buckets are not cumulative at {labels}"));
        }
        (bound_before, count_before) = (bound, *count);
    }
    let counts: Vec<f64> = of("_count").map(|sample| sample.2).collect();
    if bound_before != f64::INFINITY || counts != [count_before] || of("_sum").count() != 1 {
        return Err(format!("{name}: no +Inf, count or sum"));
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `name="value"`, with commas between them and no raw quote inside.
fn labels_are_good(labels: &str) -> bool {
    labels.is_empty()
        || labels.split(',').all(|label| {
            label.split_once("=\"").is_some_and(|(name, value)| {
                is_name(name) && value.strip_suffix('"').is_some_and(|value| !value.contains(['"', '\n']))
            })
        })
}

impl Family {
    /// The value of the sample with these labels.
    #[must_use]
    pub fn value(&self, labels: &str) -> Option<f64> {
        self.samples.iter().find(|sample| sample.1 == labels).map(|sample| sample.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_is_strict() {
        let good = "# TYPE a counter\n# HELP a It.\na_total 1\n# TYPE b_seconds histogram\n# UNIT b_seconds seconds\n\
                    # HELP b_seconds It.\nb_seconds_bucket{le=\"0.1\"} 1\nb_seconds_bucket{le=\"+Inf\"} 2\n\
                    b_seconds_count 2\nb_seconds_sum 0.3\n# EOF\n";
        assert_eq!(parse(good).map(|families| families.len()), Ok(2));
        for (from, to) in [
            ("# EOF\n", ""),
            ("a_total", "a"),
            ("# HELP a It.\n", ""),
            ("# UNIT b_seconds seconds\n", ""),
            ("le=\"+Inf\"} 2", "le=\"+Inf\"} 0"),
            ("_count 2", "_count 3"),
            ("# TYPE b_seconds histogram", "# TYPE a histogram"),
            ("a_total 1", "a_total x"),
            ("a_total 1", "a_total 1\na_total 1"),
        ] {
            assert!(parse(&good.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }
}
