//! Where the log goes: the journal with fields of its own where there is one, else lines on standard error.
//!
//! | run as                    | goes to                                                                       |
//! |---------------------------|-------------------------------------------------------------------------------|
//! | foreground, by a terminal | lines on standard error                                                       |
//! | foreground, by systemd    | the journal, with PRIORITY, TALLY_JOB, TALLY_SLOT, TALLY_WORKER; where it does |
//! |                           | not answer, lines with `<N>` in front on standard error                       |
//! | `--log-file PATH`         | lines in that file, to which standard error leads                             |
//! | `--daemonize`             | as above; the journal if there is one; without either it does not start       |
//!
//! A forked worker inherits the log but not its descriptors: in it nothing goes to the journal's socket, whose number
//! may be another one there.

use std::fmt;
use std::io;
use std::path::Path;

use tally_protocol::error::{ErrorCode, Failure};
use tally_sys::process::{self, Pid};
use tally_sys::reason::reason;
use tally_sys::{journal, streams};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Full, Writer};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::fmt::{FmtContext, layer};
use tracing_subscriber::registry::LookupSpan;

/// What the journal calls this program.
const NAME: &str = "tally";

/// One place a log can go to.
type Place<S> = Box<dyn Layer<S> + Send + Sync>;

/// The places this daemon's log goes to. `silent`: its standard error leads nowhere.
///
/// # Errors
/// When the file cannot be opened, or nothing would take the log.
pub(crate) fn places<S>(log_file: Option<&Path>, silent: bool) -> Result<Vec<Place<S>>, Failure>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if let Some(path) = log_file {
        open(path).map_err(|why| {
            Failure::new(
                ErrorCode::System,
                format!("could not open the log file {}: {}", path.display(), reason(&why)),
            )
        })?;
        return Ok(vec![lines(false)]);
    }
    let journalled = journal::takes_standard_error();
    if !(silent || journalled) {
        return Ok(vec![lines(false)]);
    }
    match tracing_journald::layer() {
        Ok(native) => {
            if silent {
                // For the words of a panic, which know no log.
                drop(journal::stream(NAME).and_then(streams::redirect_error));
            }
            let here = process::own_pid();
            let native = native
                .with_field_prefix(Some("TALLY".to_owned()))
                .with_syslog_identifier(NAME.to_owned())
                .with_priority_mappings(tracing_journald::PriorityMappings {
                    info: tracing_journald::Priority::Informational,
                    debug: tracing_journald::Priority::Debug,
                    ..tracing_journald::PriorityMappings::new()
                });
            let elsewhere = lines(true).with_filter(filter_fn(move |_| !is_here(here)));
            Ok(vec![Box::new(native.with_filter(filter_fn(move |_| is_here(here)))), Box::new(elsewhere)])
        }
        Err(_) if journalled => Ok(vec![lines(true)]),
        Err(why) => {
            let message = format!(
                "could not start in the background: there is no journal to take the log ({})",
                reason(&why)
            );
            Err(Failure::new(ErrorCode::BadUsage, message).hint("name a file with --log-file PATH"))
        }
    }
}

fn is_here(pid: Pid) -> bool {
    process::own_pid() == pid
}

/// Opens the log file and has standard error lead to it: again after the file was moved away.
pub(crate) fn open(path: &Path) -> io::Result<()> {
    streams::redirect_error(streams::open_log(path)?)
}

fn lines<S>(prefixed: bool) -> Place<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = layer().with_writer(io::stderr).with_ansi(false);
    if prefixed {
        // The journal has the time already.
        let plain = Format::default().with_target(false).with_level(false).with_ansi(false);
        Box::new(lines.event_format(Prefixed(plain)))
    } else {
        Box::new(lines.with_target(false))
    }
}

/// A line with its priority in front, as `sd-daemon(3)` has it.
struct Prefixed(Format<Full, SystemTime>);

impl<S, N> FormatEvent<S, N> for Prefixed
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}
