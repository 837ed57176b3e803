//! Ties the link's steps to the named points of `TALLY_CRASH_AT`: `partial.before-commit` is the instant before a
//! partial is handed over. Test builds only.

use tally_protocol::WorkerId;
use tally_protocol::work::FromWorker;
use tally_sys::crash;
use tally_transport::steps;

use crate::leases::Lease;

/// From now on every step of every send is a point.
pub(crate) fn arm(worker: WorkerId) {
    crash::context(|context| context.worker = worker.0);
    steps::on_step(|step| crash::point(&format!("{}.{}", crash::saying(), step.name())));
}

/// What the next steps are steps of.
pub(crate) fn say(message: &FromWorker) {
    let name = match message {
        FromWorker::Ready => "ready",
        FromWorker::Started { .. } => "started",
        FromWorker::Progress { .. } => "progress",
        FromWorker::Partial { .. } => "partial",
        FromWorker::Failed { .. } => "failed",
        FromWorker::Broke { .. } => "broke",
        FromWorker::Surplus { .. } => "surplus",
        FromWorker::NotIntegers { .. } => "not-integers",
        FromWorker::Cancelled { .. } => "cancelled",
    };
    crash::context(|context| context.saying = name);
}

/// What it folds from now on.
pub(crate) fn fold(lease: &Lease) {
    crash::context(|context| {
        context.lease = Some(crash::Lease {
            job: lease.id.job.0,
            partition: lease.id.partition.0,
            attempt: lease.id.attempt.0,
            position: lease.position,
            count: lease.count,
        });
    });
}
