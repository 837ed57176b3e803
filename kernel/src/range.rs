//! Integers of ranges: as they are, or through an expression in `i`.

use tally_expr::{Ast, Evaluator, IndexRange, Kind, LANES, Program, Schema};
use tally_protocol::job::{KernelSpec, Nan, OnBad};
use tally_protocol::range::Progression;
use tally_protocol::source;
use tally_reduce::{Indices, Partial};

use crate::chunk::{absorb, policy, without_answer};
use crate::plan::compile;
use crate::{Fault, KeepGoing};

/// Elements between two questions whether to go on: about a millisecond of a slow expression.
const BETWEEN: u64 = 32 * LANES as u64;

/// How ranges are folded.
pub(crate) enum RangePlan {
    /// The elements themselves.
    Plain,
    /// What an expression makes of them.
    Computed {
        /// The expression and, perhaps, the filter.
        program: Program,
        /// Their texts.
        of: String,
        filter: Option<String>,
        nan: Nan,
        on_bad: OnBad,
    },
}

impl RangePlan {
    pub(crate) fn of(spec: &KernelSpec) -> Result<Self, Fault> {
        if spec.of.is_none() && spec.filter.is_none() {
            return Ok(Self::Plain);
        }
        let of = spec.of.clone().unwrap_or_else(|| "i".to_owned());
        let program = compile(&of, spec.filter.as_deref(), &Schema::range())?;
        Ok(Self::Computed { program, of, filter: spec.filter.clone(), nan: spec.nan, on_bad: spec.on_bad })
    }

    /// Whether the answers are of floats.
    pub(crate) fn is_of_floats(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Computed { program, .. } => program.kind() == Kind::Float,
        }
    }

    /// False when it was told to stop.
    pub(crate) fn fold(
        &self,
        ranges: &[Progression],
        position: u64,
        count: u64,
        partial: &mut Partial,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let mut base = 0;
        for run in source::runs(ranges, position, count) {
            let more = &mut |done: u64| keep_going(base + done);
            let whole = match self {
                Self::Plain => {
                    let places = Indices::From(position + base);
                    partial.absorb_placed_progression(&run.first, &run.step, run.count, places, more)
                }
                Self::Computed { program, of, filter, nan, on_bad } => {
                    let mut evaluator = Evaluator::new(program);
                    let range = IndexRange::new(run.first, run.step, run.count);
                    let (mut done, mut asked) = (0, 0);
                    loop {
                        if done >= run.count {
                            break true;
                        }
                        if done - asked >= BETWEEN {
                            asked = done;
                            if !more(done) {
                                break false;
                            }
                        }
                        let lanes = LANES.min(usize::try_from(run.count - done).unwrap_or(LANES));
                        let place = position + base + done;
                        let failed = match evaluator.run_range(&range, done, lanes) {
                            Ok(chunk) => absorb(partial, &chunk, Some(place), policy(*nan)).map(|()| None)?,
                            Err(error) => Some(error),
                        };
                        match failed {
                            None => {}
                            Some(error) if *on_bad == OnBad::Error => {
                                return Err(Fault::of_element(of, filter.as_deref(), &error, None));
                            }
                            // One by one, to find those that have an answer.
                            Some(_) => {
                                for at in done..done + lanes as u64 {
                                    let place = Some(place + (at - done));
                                    match evaluator.run_range(&range, at, 1) {
                                        Ok(chunk) => absorb(partial, &chunk, place, policy(*nan))?,
                                        Err(_) => without_answer(partial, place, *on_bad, policy(*nan))?,
                                    }
                                }
                            }
                        }
                        done += lanes as u64;
                    }
                }
            };
            if !whole {
                return Ok(false);
            }
            base += run.count;
        }
        Ok(true)
    }
}

/// Whether a text is an expression at all; for [`compile`].
pub(crate) fn parse(option: &str, text: &str) -> Result<Ast, Fault> {
    Ast::parse(text).map_err(|fault| Fault::of_text(option, text, &fault))
}
