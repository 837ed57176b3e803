//! Options of `top` and `show`.

use std::path::PathBuf;

use clap::Args;
use tally_protocol::limits;
use tally_protocol::top::TopSort;

use super::{OneJob, values};

/// `tally top`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct TopArgs {
    /// One look as text, also on a terminal
    #[arg(long)]
    pub(crate) once: bool,
    /// With --json, a line each interval until it is interrupted
    #[arg(long, requires = "json", conflicts_with = "once")]
    pub(crate) watch: bool,
    /// Time between two looks, 100ms to 1h [default: 1s]
    #[arg(short = 'n', long, value_name = "TIME", value_parser = interval)]
    pub(crate) interval: Option<u64>,
    /// Order: state, job, done, rate, eta, retries, priority, workers, user, age
    #[arg(long, value_name = "WHAT", value_parser = sort)]
    pub(crate) sort: Option<TopSort>,
    /// The other way round
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Only jobs with this in their id, state or text
    #[arg(long, value_name = "TEXT", value_parser = filter)]
    pub(crate) filter: Option<String>,
    /// Ended jobs, too
    #[arg(long)]
    pub(crate) all: bool,
    /// Only one's own jobs
    #[arg(long)]
    pub(crate) own: bool,
}

/// `tally show`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) one: OneJob,
    /// Draw what each worker did when, what was lost, and the rate
    #[arg(long, value_name = "FILE.svg", value_parser = values::pictures())]
    pub(crate) plot: Option<PathBuf>,
    /// With --json, what happened to its partitions and when, too
    #[arg(long)]
    pub(crate) history: bool,
}

fn interval(text: &str) -> Result<u64, String> {
    let ms = values::duration(text)?;
    if (100..=3_600_000).contains(&ms) { Ok(ms) } else { Err("it can be 100ms to 1h".to_owned()) }
}

fn sort(text: &str) -> Result<TopSort, String> {
    values::one_of(text, &TopSort::ALL.map(|sort| (sort.name(), sort)))
}

fn filter(text: &str) -> Result<String, String> {
    let most = limits::TOP_FILTER_BYTES_MAX;
    if text.len() <= most { Ok(text.to_owned()) } else { Err(format!("it can have {most} bytes at most")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_bounds_and_orders_have_names() {
        assert_eq!(interval("2"), Ok(2_000));
        assert_eq!(interval("0.1"), Ok(100));
        assert_eq!(interval("2h"), Err("it can be 100ms to 1h".to_owned()));
        assert_eq!(interval("50ms"), Err("it can be 100ms to 1h".to_owned()));
        assert_eq!(sort("rate"), Ok(TopSort::Rate));
        assert!(sort("rat").unwrap_err().contains("rate"), "a hint");
        assert!(filter(&"x".repeat(300)).is_err());
    }
}
