//! What a job folds: any part of its source becomes a partial.
//!
//! The same code in a worker process, on a thread and inline. Pure: it sees files through [`FileBytes`], asks for no time,
//! and stops when it is told to. Whatever the cut into parts, the partials of all parts merge into the same bytes.
//!
//! Where to go next: `range` (integers, with an expression or without), `numbers` (npy and raw), `table` (rows of cells),
//! `rows` (where rows go: `group`, `decimal`), `stream` (compressed files),
//! `chunk` (what an expression made of a chunk goes into the partial), `place` (where rows begin).
#![forbid(unsafe_code)]

mod chunk;
mod decimal;
mod fault;
mod files;
mod group;
mod names;
mod numbers;
#[cfg(feature = "parquet")]
mod parquet;
mod place;
mod plan;
mod range;
mod rows;
mod stream;
mod table;
mod words;

#[cfg(test)]
mod tests;

use tally_protocol::job::KernelSpec;
use tally_protocol::source::Source;
use tally_reduce::Tally;

pub use fault::Fault;
pub use files::{Bytes, FileBytes};
pub use plan::check;
pub use stream::packed_by;
pub use words::{Beginning, column_names, function_names};

use plan::Plan;

/// A kernel that is ready to fold: expressions compiled, headers read.
pub struct Kernel {
    spec: KernelSpec,
    plan: Plan,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// How a fold ended.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is looked at once and never kept")]
pub enum Folded {
    /// With this partial.
    Whole(Tally),
    /// It was told to stop.
    Stopped,
}

/// Says whether to go on; told the positions done so far, about once a millisecond.
pub type KeepGoing<'a> = dyn FnMut(u64) -> bool + 'a;

impl Kernel {
    /// Makes a kernel ready. `files` are those of the spec.
    ///
    /// # Errors
    /// What is wrong with an expression, a header or a file.
    pub fn prepare(spec: KernelSpec, files: Option<Box<dyn FileBytes>>) -> Result<Self, Fault> {
        let plan = Plan::of(&spec, files)?;
        Ok(Self { spec, plan })
    }

    /// Whether the answers are of floats: so is the sum of nothing then.
    #[must_use]
    pub fn is_of_floats(&self) -> bool {
        match &self.plan {
            Plan::Range(range) => range.is_of_floats(),
            Plan::Files(plan) => plan.is_of_floats(),
        }
    }

    /// What was made of the files that somebody may have meant otherwise; fits after "note:".
    #[must_use]
    pub fn remark(&self) -> Option<&str> {
        match &self.plan {
            Plan::Range(_) => None,
            Plan::Files(plan) => plan.remark(),
        }
    }

    /// Folds `count` positions from `position` on.
    ///
    /// # Errors
    /// An element that has no answer, a cell that is no number, a file that has changed.
    pub fn fold(
        &mut self,
        position: u64,
        count: u64,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<Folded, Fault> {
        let mut tally = self.spec.identity();
        if self.is_of_floats() {
            tally.expect_floats();
        }
        let whole = match (&mut self.plan, &self.spec.source) {
            (Plan::Range(range), Source::Ranges(ranges)) => {
                let Tally::Plain(partial) = &mut tally else {
                    return Err(Fault::usage("group or add decimals of a range"));
                };
                range.fold(ranges, position, count, partial, keep_going)?
            }
            (Plan::Files(plan), Source::Files(files)) => {
                plan.fold(files, position, count, &mut tally, keep_going)?
            }
            (Plan::Range(_), Source::Files(_)) | (Plan::Files(_), Source::Ranges(_)) => {
                return Err(Fault::new("fold a source of another kind"));
            }
        };
        Ok(if whole { Folded::Whole(tally) } else { Folded::Stopped })
    }
}
