//! The same fold without processes: in this process, on one thread or several (`--mode inline`, `--mode threads`).
//!
//! No supervision, nothing to lose but the whole: a panic or a kill ends the command. It exists to be compared with.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use tally_kernel::{Fault, FileBytes, Folded, Kernel};
use tally_protocol::job::KernelSpec;
use tally_reduce::Tally;
use tally_sys::clock;

/// Opens the files of a job once more, for one thread; `None` for a job without files.
pub type OpenFiles<'a> = dyn Fn() -> Option<Box<dyn FileBytes>> + Sync + 'a;

/// What one thread folded.
#[derive(Debug)]
pub struct Share {
    /// First position and number of elements of each piece, in order.
    pub ranges: Vec<(u64, u64)>,
    /// Its partial answer.
    pub partial: Tally,
    /// Time it spent folding.
    pub busy_ns: u64,
}

/// Folds everything on the calling thread (`threads` 1) or on as many threads, which take pieces of
/// 1/`partitions` of the positions as they get free. `progress` hears now and then how many positions are done, on the
/// calling thread; when it says false the fold stops and the answer is `None`.
///
/// # Errors
/// What the kernel found wrong first.
pub fn fold_here(
    kernel: &KernelSpec,
    files: &OpenFiles<'_>,
    threads: usize,
    partitions: u64,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<Vec<Share>>, Fault> {
    let mut known = kernel.clone();
    loop {
        match fold_once(&known, files, threads, partitions, progress) {
            Err(Fault { floats: Some(column), .. }) if !known.floats.contains(&column) => {
                known.floats.push(column)
            }
            folded => return folded,
        }
    }
}

/// One pass over all of it, which may find out that a column is of floats.
fn fold_once(
    kernel: &KernelSpec,
    files: &OpenFiles<'_>,
    threads: usize,
    partitions: u64,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<Vec<Share>>, Fault> {
    let plan = Plan {
        kernel,
        files,
        elements: kernel.count(),
        partitions: partitions.clamp(1, kernel.count().max(1)),
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        stopped: AtomicBool::new(false),
        limit: AtomicU64::new(u64::MAX),
        fault: Mutex::new(None),
    };
    let shares = if threads <= 1 {
        let keep_going = &mut || progress(plan.done.load(Ordering::Relaxed));
        vec![plan.work(keep_going)]
    } else {
        thread::scope(|scope| {
            // Where the system gives fewer threads than asked for, those there are do the work.
            let start = || thread::Builder::new().spawn_scoped(scope, || plan.work(&mut || true)).ok();
            let others: Vec<_> = (1..threads).map_while(|_| start()).collect();
            let keep_going = &mut || progress(plan.done.load(Ordering::Relaxed));
            let mut shares = vec![plan.work(keep_going)];
            // This thread has no piece left; the others finish theirs. A panic of one is a panic of all.
            shares.extend(others.into_iter().map(|other| match other.join() {
                Ok(share) => share,
                Err(panic) => std::panic::resume_unwind(panic),
            }));
            shares
        })
    };
    if let Some(fault) = plan.first_fault() {
        return Err(fault);
    }
    Ok((!plan.stopped.load(Ordering::Relaxed)).then_some(shares))
}

/// What the threads share.
struct Plan<'a> {
    kernel: &'a KernelSpec,
    files: &'a OpenFiles<'a>,
    elements: u64,
    partitions: u64,
    /// The next piece to take.
    next: AtomicU64,
    /// Positions folded so far.
    done: AtomicU64,
    stopped: AtomicBool,
    /// Where the first fault is that is known so far: what lies before it is folded to the end, so that the first of all is told.
    limit: AtomicU64,
    /// Where in the source that is, and what it is.
    fault: Mutex<Option<(u64, Fault)>>,
}

impl Plan<'_> {
    fn work(&self, keep_going: &mut dyn FnMut() -> bool) -> Share {
        let mut share = Share { ranges: Vec::new(), partial: self.kernel.identity(), busy_ns: 0 };
        let begun = clock::monotonic_ns();
        let mut kernel = match Kernel::prepare(self.kernel.clone(), (self.files)()) {
            Ok(kernel) => kernel,
            Err(fault) => {
                self.fail(0, fault);
                return share;
            }
        };
        while let Some((position, count)) = self.take() {
            match self.fold(&mut kernel, position, count, keep_going) {
                Ok(Folded::Whole(partial)) => {
                    if let Err(why) = share.partial.merge(partial) {
                        self.fail(position, Fault::new(why.to_string()));
                    }
                    share.ranges.push((position, count));
                }
                // By the fold of another thread, or by the caller, who has said so already.
                Ok(Folded::Stopped) => {}
                Err(fault) => self.fail(position, fault),
            }
        }
        share.busy_ns = clock::monotonic_ns().saturating_sub(begun);
        share
    }

    fn fail(&self, position: u64, fault: Fault) {
        self.limit.fetch_min(position, Ordering::Relaxed);
        let mut first = self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if first.as_ref().is_none_or(|(other, _)| position < *other) {
            *first = Some((position, fault));
        }
    }

    fn first_fault(&self) -> Option<Fault> {
        let mut first = self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        first.take().map(|(_, fault)| fault)
    }

    /// The next piece: piece k of n covers positions k*e/n up to (k+1)*e/n, so sizes differ by at most one.
    fn take(&self) -> Option<(u64, u64)> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let piece = self.next.fetch_add(1, Ordering::Relaxed);
        if piece >= self.partitions {
            return None;
        }
        let cut = |k: u64| {
            let wide = u128::from(k) * u128::from(self.elements) / u128::from(self.partitions);
            u64::try_from(wide).unwrap_or(self.elements)
        };
        let (from, to) = (cut(piece), cut(piece + 1));
        if from >= self.limit.load(Ordering::Relaxed) {
            return None;
        }
        Some((from, to - from))
    }

    fn fold(
        &self,
        kernel: &mut Kernel,
        position: u64,
        count: u64,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Folded, Fault> {
        let mut seen = 0;
        let folded = kernel.fold(position, count, &mut |done| {
            self.done.fetch_add(done.saturating_sub(seen), Ordering::Relaxed);
            seen = seen.max(done);
            if !keep_going() {
                self.stopped.store(true, Ordering::Relaxed);
            }
            !self.stopped.load(Ordering::Relaxed) && position < self.limit.load(Ordering::Relaxed)
        });
        self.done.fetch_add(count.saturating_sub(seen), Ordering::Relaxed);
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tally_protocol::job::JobRequest;

    fn kernel(source: &str) -> KernelSpec {
        let request = JobRequest {
            reductions: vec!["sum".into(), "count".into()],
            sources: vec![source.into()],
            ..JobRequest::default()
        };
        request.check().unwrap().kernel
    }

    fn answers(shares: Vec<Share>) -> Vec<String> {
        let mut whole = shares.into_iter().map(|share| share.partial).reduce(|mut a, b| {
            a.merge(b).unwrap();
            a
        });
        let whole = whole.take().unwrap();
        whole.finish(false).into_iter().map(|one| one.answer.unwrap().to_string()).collect()
    }

    #[test]
    fn any_number_of_threads_and_pieces_gives_the_same() {
        let kernel = kernel("-5..1000");
        for threads in [1, 2, 3] {
            for partitions in [1, 2, 7, 1005, 5000] {
                let shares =
                    fold_here(&kernel, &|| None, threads, partitions, &mut |_| true).unwrap().unwrap();
                assert_eq!(answers(shares), ["499485", "1005"], "{threads} threads, {partitions} pieces");
            }
        }
    }

    #[test]
    fn an_empty_source_is_the_identity() {
        let shares = fold_here(&kernel("3..3"), &|| None, 2, 4, &mut |_| true).unwrap().unwrap();
        assert_eq!(answers(shares), ["0", "0"]);
    }

    #[test]
    fn progress_can_stop_it() {
        assert!(fold_here(&kernel("0..1e12"), &|| None, 2, 8, &mut |_| false).unwrap().is_none());
    }
}
