//! What is meant by a list: all or some, once or again and again, as a table or by a template.

use tally_protocol::error::Failure;

use super::bad;
use crate::args::lists::{JobsArgs, ListOptions};
use crate::show::template::Template;

/// How often `--watch` looks, where nothing is said.
const INTERVAL_MS: u64 = 1_000;

/// A list of jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Jobs {
    /// Also those that have ended.
    pub(crate) all: bool,
    /// Look again every so many milliseconds.
    pub(crate) watch_ms: Option<u64>,
    pub(crate) template: Option<Template>,
}

pub(super) fn jobs(args: JobsArgs, json: bool) -> Result<Jobs, Failure> {
    let JobsArgs { all, watch, interval, list } = args;
    let watch_ms = watch.then(|| interval.unwrap_or(INTERVAL_MS));
    Ok(Jobs { all, watch_ms, template: template(list, "jobs", json)? })
}

/// The template of a list, if one is given. `name` is the list's in its schema.
pub(super) fn template(options: ListOptions, name: &str, json: bool) -> Result<Option<Template>, Failure> {
    match options.format {
        Some(_) if json => {
            Err(bad("could not print the list in two ways: --format and --json exclude each other"))
        }
        Some(text) => Template::read(&text, name).map(Some),
        None => Ok(None),
    }
}
