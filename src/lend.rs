//! What the command line borrows from the other roles: a private supervisor, a fold in this process, the daemon.

use std::time::Duration;

use tally_cli::{
    ColumnsOf, DaemonOptions, Drawing, FoldMode, FoldOutcome, Inputs, PrivateOptions, PrivateSupervisor,
    ProgressFn, Roles, SettingsOptions, SettingsReading, Share, StoreReading, Studies, StudyOptions,
    StudyReport, TimeBar, TimeBarKind, TimeDrawing, TimeMark, Words,
};
use tally_lab::{BarKind, Chart, LockKind, Shape, Study, Timeline};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::{JobSpec, StartMethod, Transport};
use tally_protocol::source::{Files, Source};
use tally_supervisor::config::Sources;
use tally_sys::signal::{Mapped, end_on_lost_memory};
use tally_worker::{Beginning, Fault, FileBytes, Kernel, Maps};

/// Pieces for each thread, where the user does not say: small enough that all threads end together.
const PIECES_PER_THREAD: u64 = 32;

/// All that is lent.
pub(crate) fn roles() -> Roles<'static> {
    Roles {
        private: &private,
        fold: &fold,
        check: &check,
        daemon: &daemon,
        studies: Studies { run: &study, draw: &draw, draw_time: &draw_time },
        settings: &settings,
        store: &store,
        built_in_settings: tally_supervisor::config::BUILT_IN,
        words: Words {
            columns,
            functions: tally_worker::function_names,
            settings: tally_supervisor::config::keys,
        },
    }
}

fn columns(asked: ColumnsOf<'_>) -> Vec<String> {
    let ColumnsOf { name, head, format, delimiter, header } = asked;
    tally_worker::column_names(&Beginning { name, head, format, delimiter, header, named: true })
}

fn private(options: &PrivateOptions) -> Result<PrivateSupervisor, Failure> {
    let flags = flags(options.workers, options.transport, options.start);
    let private = tally_supervisor::start_private(
        &tally_supervisor::PrivateOptions { flags, many_requests: options.many_requests },
        tally_worker::run,
    )?;
    Ok(PrivateSupervisor { stream: private.stream, child: Some(private.child) })
}

/// Flags as settings: key and value, as in `config.toml`.
fn flags(
    workers: Option<u32>,
    transport: Option<Transport>,
    start: Option<StartMethod>,
) -> Vec<(String, String)> {
    [
        ("workers", workers.map(|count| count.to_string())),
        ("transport", transport.map(|kind| kind.name().to_owned())),
        ("start", start.map(|method| method.name().to_owned())),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect()
}

/// The files of a job as a kernel in this process sees them; none of a job of ranges.
fn files_of(job: &JobSpec, inputs: &Inputs) -> Option<Box<dyn FileBytes>> {
    let Source::Files(files) = &job.kernel.source else { return None };
    catch_cut_files(files, inputs);
    let maps = inputs.copies().ok().and_then(|copies| Maps::new(files, copies).ok())?;
    Some(Box::new(maps))
}

/// Here no worker dies in the place of this process.
fn catch_cut_files(files: &Files, inputs: &Inputs) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let watched = files
            .files
            .iter()
            .zip(inputs.copies().unwrap_or_default())
            .map(|(source, file)| Mapped { file, bytes: source.bytes, text: inputs.cut(Some(&source.name)) });
        // Without it the process ends all the same, and says less.
        drop(end_on_lost_memory(watched.collect(), inputs.cut(None), 1));
    });
}

/// Finds what is wrong with a job before it is handed in, and what its files were taken for.
fn check(job: &mut JobSpec, inputs: &Inputs) -> Result<Option<String>, Failure> {
    // What the files are is for a command to know.
    if job.kernel.command.is_some() {
        return Ok(None);
    }
    let plain = job.kernel.of.is_none() && job.kernel.filter.is_none();
    if plain && matches!(job.kernel.source, Source::Ranges(_)) {
        return Ok(None);
    }
    let kernel = Kernel::prepare(job.kernel.clone(), files_of(job, inputs)).map_err(failed)?;
    // Nobody else will look at a source of nothing. Of others workers find out.
    job.kernel.of_floats = job.elements == 0 && kernel.is_of_floats();
    job.request.of_floats = job.kernel.of_floats;
    Ok(kernel.remark().map(str::to_owned))
}

fn fold(
    job: &JobSpec,
    inputs: &Inputs,
    mode: FoldMode,
    progress: &mut ProgressFn<'_>,
) -> Result<FoldOutcome, Failure> {
    let (threads, pieces) = match mode {
        FoldMode::Inline => (1, 1),
        FoldMode::Threads(threads) => (usize::from(threads), u64::from(threads) * PIECES_PER_THREAD),
    };
    let pieces = job.pieces().unwrap_or(pieces);
    let shares = tally_worker::fold_here(&job.kernel, &|| files_of(job, inputs), threads, pieces, progress)
        .map_err(failed)?
        .ok_or_else(|| Failure::new(ErrorCode::Cancelled, "the fold was stopped"))?;
    let mut whole = job.kernel.identity();
    for share in &shares {
        whole
            .merge(share.partial.clone())
            .map_err(|why| Failure::new(ErrorCode::Internal, format!("could not {why}")))?;
    }
    let shares = shares
        .into_iter()
        .map(|share| Share { ranges: share.ranges, partial: share.partial, busy_ns: share.busy_ns })
        .collect();
    Ok(FoldOutcome { partial: whole, shares })
}

/// What a kernel found wrong, as a worker would have told it.
fn failed(fault: Fault) -> Failure {
    let code = match (fault.usage, &fault.site) {
        (true, _) => ErrorCode::BadUsage,
        (false, Some(_)) => ErrorCode::BadData,
        (false, None) => ErrorCode::KernelFailed,
    };
    let failure = Failure::new(code, format!("could not {}", fault.message));
    let place = fault.place.map(String::into_boxed_str);
    Failure { place, hint: fault.hint, site: fault.site, ..failure }
}

fn study(options: &StudyOptions) -> Result<StudyReport, Failure> {
    let unknown = |what: &str| Failure::new(ErrorCode::BadUsage, format!("could not find the {what}"));
    let study = Study::from_name(&options.study).ok_or_else(|| unknown("study"))?;
    let locks = options.locks.iter().map(|name| LockKind::from_name(name));
    let options = tally_lab::Options {
        processes: options.processes,
        count: options.count,
        locks: locks.collect::<Option<_>>().ok_or_else(|| unknown("lock"))?,
        limit: options.limit_ms.map(Duration::from_millis),
        program: std::env::current_exe().ok(),
    };
    let report = tally_lab::run(study, &options).map_err(|why| match why {
        tally_lab::Error::Interrupted(signal) => {
            let mut failure = Failure::new(ErrorCode::Interrupted, "interrupted");
            failure.exit = u8::try_from(128 + signal.raw()).unwrap_or(failure.exit);
            failure
        }
        tally_lab::Error::BadOption(_) => Failure::new(ErrorCode::BadUsage, format!("could not {why}")),
        tally_lab::Error::System(..) => Failure::new(ErrorCode::System, format!("could not {why}")),
    })?;
    Ok(StudyReport {
        text: report.text(),
        json: report.json(),
        svg: report.chart().map(Chart::svg),
        holds: report.holds(),
    })
}

fn draw(drawing: Drawing) -> String {
    let Drawing { title, unit, labels, series } = drawing;
    Chart { title, unit, labels, series, shape: Shape::Bars }.svg()
}

fn draw_time(drawing: TimeDrawing) -> String {
    let bar = |bar: TimeBar| tally_lab::TimeBar {
        row: bar.row,
        from_ms: bar.from_ms,
        to_ms: bar.to_ms,
        kind: match bar.kind {
            TimeBarKind::Done => BarKind::Done,
            TimeBarKind::Again => BarKind::Again,
            TimeBarKind::Lost => BarKind::Lost,
            TimeBarKind::Failed => BarKind::Failed,
            TimeBarKind::Running => BarKind::Running,
        },
        tip: bar.tip,
    };
    let mark = |mark: TimeMark| tally_lab::TimeMark { row: mark.row, at_ms: mark.at_ms, tip: mark.tip };
    let timeline = Timeline {
        title: drawing.title,
        about: drawing.about,
        row_name: drawing.row_name,
        from_ms: drawing.from_ms,
        to_ms: drawing.to_ms,
        bars: drawing.bars.into_iter().map(bar).collect(),
        marks: drawing.marks.into_iter().map(mark).collect(),
        rates_from_ms: drawing.rates_from_ms,
        rates: drawing.rates,
        rate_ms: drawing.rate_ms,
        unit: drawing.unit,
    };
    timeline.svg()
}

fn settings(options: &SettingsOptions) -> SettingsReading {
    let sources = match &options.alone {
        Some(path) => Sources::of_file(path),
        None => Sources::of_this_process(options.config.as_deref(), &options.flags),
    };
    let reading = sources.read();
    SettingsReading {
        view: reading.view(),
        faults: reading.faults.into_iter().map(Into::into).collect(),
        files: reading.files.into_iter().collect(),
    }
}

fn store() -> Result<StoreReading, Failure> {
    let unread = |why: &dyn std::fmt::Display| {
        Failure::new(ErrorCode::BadUsage, format!("could not read the configuration: {why}"))
    };
    let reading = Sources::of_this_process(None, &[]).read();
    if let Some(fault) = reading.faults.first() {
        return Err(unread(fault));
    }
    let setting = reading.configuration().map_err(|fault| unread(&fault))?.state_dir;
    let tally_supervisor::StoreProbe { directory, bytes, rows, free_bytes, held_by, notes, fault } =
        tally_supervisor::probe_store(&setting);
    Ok(StoreReading { directory, bytes, rows, free_bytes, held_by, notes, fault })
}

fn daemon(options: DaemonOptions) -> Result<(), Failure> {
    let flags = options.flags();
    let options = tally_supervisor::DaemonOptions {
        config: options.config,
        socket: options.socket,
        default_socket: options.default_socket,
        pid_file: options.pid_file,
        daemonize: options.daemonize,
        until_eof: options.until_eof,
        remove_directory: options.remove_directory,
        check: options.check,
        flags,
    };
    tally_supervisor::run_daemon(&options, tally_worker::run)
}
