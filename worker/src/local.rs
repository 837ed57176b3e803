//! The same fold without processes: in this process, on one thread or several (`--mode inline`, `--mode threads`).
//!
//! No supervision, nothing to lose but the whole: a panic or a kill ends the command. It exists to be compared with.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use tally_protocol::job::KernelSpec;
use tally_reduce::Partial;
use tally_sys::clock;

/// What one thread folded.
#[derive(Debug)]
pub struct Share {
    /// First position and number of elements of each piece, in order.
    pub ranges: Vec<(u64, u64)>,
    /// Its partial answer.
    pub partial: Partial,
    /// Time it spent folding.
    pub busy_ns: u64,
}

/// Folds everything on the calling thread (`threads` 1) or on as many threads, which take pieces of
/// 1/`partitions` of the positions as they get free. `progress` hears now and then how many elements are done, on the
/// calling thread; when it says false the fold stops and the answer is `None`.
pub fn fold_here(
    kernel: &KernelSpec,
    threads: usize,
    partitions: u64,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Option<Vec<Share>> {
    let plan = Plan {
        kernel,
        elements: kernel.count(),
        partitions: partitions.clamp(1, kernel.count().max(1)),
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        stopped: AtomicBool::new(false),
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
    (!plan.stopped.load(Ordering::Relaxed)).then_some(shares)
}

/// What the threads share.
struct Plan<'a> {
    kernel: &'a KernelSpec,
    elements: u64,
    partitions: u64,
    /// The next piece to take.
    next: AtomicU64,
    /// Elements folded so far.
    done: AtomicU64,
    stopped: AtomicBool,
}

impl Plan<'_> {
    fn work(&self, keep_going: &mut dyn FnMut() -> bool) -> Share {
        let mut share =
            Share { ranges: Vec::new(), partial: Partial::identity(&self.kernel.reductions), busy_ns: 0 };
        let begun = clock::monotonic_ns();
        while let Some((position, count)) = self.take() {
            if !self.fold(position, count, &mut share.partial, keep_going) {
                self.stopped.store(true, Ordering::Relaxed);
                break;
            }
            share.ranges.push((position, count));
        }
        share.busy_ns = clock::monotonic_ns().saturating_sub(begun);
        share
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
        Some((from, to - from))
    }

    fn fold(
        &self,
        position: u64,
        count: u64,
        partial: &mut Partial,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> bool {
        self.kernel.runs(position, count).all(|run| {
            let mut seen = 0;
            let finished = partial.absorb_progression(&run.first, &run.step, run.count, &mut |done| {
                self.done.fetch_add(done - seen, Ordering::Relaxed);
                seen = done;
                keep_going() && !self.stopped.load(Ordering::Relaxed)
            });
            self.done.fetch_add(run.count.saturating_sub(seen), Ordering::Relaxed);
            finished
        })
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
        whole.finish(false).into_iter().map(|(_, answer)| answer.unwrap().to_string()).collect()
    }

    #[test]
    fn any_number_of_threads_and_pieces_gives_the_same() {
        let kernel = kernel("-5..1000");
        for threads in [1, 2, 3] {
            for partitions in [1, 2, 7, 1005, 5000] {
                let shares = fold_here(&kernel, threads, partitions, &mut |_| true).unwrap();
                assert_eq!(answers(shares), ["499485", "1005"], "{threads} threads, {partitions} pieces");
            }
        }
    }

    #[test]
    fn an_empty_source_is_the_identity() {
        let shares = fold_here(&kernel("3..3"), 2, 4, &mut |_| true).unwrap();
        assert_eq!(answers(shares), ["0", "0"]);
    }

    #[test]
    fn progress_can_stop_it() {
        assert!(fold_here(&kernel("0..1e12"), 2, 8, &mut |_| false).is_none());
    }
}
