//! What the command line borrows from the other roles: a private supervisor, a fold in this process, the daemon.

use std::io::{self, Write as _};

use tally_cli::{
    DaemonOptions, FoldMode, FoldOutcome, PrivateOptions, PrivateSupervisor, ProgressFn, Roles, Share,
};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::{JobSpec, StartMethod, Transport};
use tally_reduce::Partial;

/// Pieces for each thread, where the user does not say: small enough that all threads end together.
const PIECES_PER_THREAD: u64 = 32;

/// All that is lent.
pub(crate) fn roles() -> Roles<'static> {
    Roles { private: &private, fold: &fold, daemon: &daemon }
}

fn private(options: &PrivateOptions) -> Result<PrivateSupervisor, Failure> {
    let flags = flags(options.workers, options.transport, options.start, None);
    let private =
        tally_supervisor::start_private(&tally_supervisor::PrivateOptions { flags }, tally_worker::run)?;
    Ok(PrivateSupervisor { stream: private.stream, child: Some(private.child) })
}

/// Flags as settings: key and value, as in `config.toml`.
fn flags(
    workers: Option<u32>,
    transport: Option<Transport>,
    start: Option<StartMethod>,
    log: Option<String>,
) -> Vec<(String, String)> {
    [
        ("workers", workers.map(|count| count.to_string())),
        ("transport", transport.map(|kind| kind.name().to_owned())),
        ("start", start.map(|method| method.name().to_owned())),
        ("log", log),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect()
}

fn fold(job: &JobSpec, mode: FoldMode, progress: &mut ProgressFn<'_>) -> Result<FoldOutcome, Failure> {
    let (threads, pieces) = match mode {
        FoldMode::Inline => (1, 1),
        FoldMode::Threads(threads) => (usize::from(threads), u64::from(threads) * PIECES_PER_THREAD),
    };
    let pieces = job.request.partitions.unwrap_or(pieces);
    let shares = tally_worker::fold_here(&job.kernel, threads, pieces, progress)
        .ok_or_else(|| Failure::new(ErrorCode::Cancelled, "the fold was stopped"))?;
    let mut whole = Partial::identity(&job.kernel.reductions);
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

fn daemon(options: DaemonOptions) -> u8 {
    let Some(socket) = options.socket.or(options.default_socket) else {
        let why =
            "tally: could not choose a socket: XDG_RUNTIME_DIR is not set\n  name one with --socket PATH";
        drop(writeln!(io::stderr(), "{why}"));
        return ErrorCode::BadUsage.exit();
    };
    let options = tally_supervisor::DaemonOptions {
        config: options.config,
        socket,
        pid_file: options.pid_file,
        check: options.check,
        flags: flags(options.workers, options.transport, options.start, options.log_level),
    };
    match tally_supervisor::run_daemon(&options, tally_worker::run) {
        Ok(()) => 0,
        Err(failure) => {
            drop(writeln!(io::stderr(), "tally: {failure}"));
            if let Some(hint) = &failure.hint {
                drop(writeln!(io::stderr(), "  {hint}"));
            }
            failure.exit
        }
    }
}
