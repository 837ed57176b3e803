//! Chunk after chunk through a program.
//!
//! A chunk is computed in lanes of 64 bits if bounds prove that this is exact, else of 128 bits, else element by
//! element with integers of any size. The answers are the same whichever way is taken, and wherever chunks are cut.

use std::error::Error;
use std::fmt;

use tally_reduce::Integer;

use crate::column::{Column, IndexRange, Input};
use crate::cpu::Cpu;
use crate::fault::Span;
use crate::graph::Id;
use crate::interval::Interval;
use crate::lanes::{Banks, LANES, Run, is_text, run_text};
use crate::plan::{Fact, Place, Plan, Shape, Width, plan};
use crate::program::Program;
use crate::slow::{Element, Slow};
use crate::value::{Kind, Trouble, Value};

/// Elements of a range for which a plan is tried, largest first: the fewer, the closer the bounds.
const WINDOWS: [u64; 3] = [1 << 24, 1 << 16, LANES as u64];

/// The answers of one chunk, in the order of the elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'a> {
    /// Integers of 64 bits.
    I64(&'a [i64]),
    /// Integers of which some need more than 64 bits.
    I128(&'a [i128]),
    /// Integers of which some need more than 128 bits.
    Big(&'a [Integer]),
    /// Floats.
    F64(&'a [f64]),
    /// Conditions.
    Bool(&'a [bool]),
}

impl Values<'_> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::I64(values) => values.len(),
            Self::I128(values) => values.len(),
            Self::Big(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a chunk came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chunk<'a> {
    /// The answers; of a filtered program, those of the elements for which the filter holds.
    pub values: Values<'a>,
    /// Between which 64-bit integers all the answers lie, where that is known without reading them: it may be wider
    /// than the truth. With values below 2^53, a sum of the chunk cannot leave 64 bits.
    pub bounds: Option<(i64, i64)>,
    /// Which elements of the chunk the answers belong to, counted from 0; nothing stands for all of them.
    pub rows: Option<&'a [u32]>,
}

/// An element that has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// Which element, counted from 0 as the caller counts them.
    pub row: u64,
    /// Its number, if it is one of a range.
    pub index: Option<Integer>,
    /// Where in the expression (or in the filter).
    pub span: Span,
    /// Whether the span is one of the filter's text.
    pub in_filter: bool,
    /// Why, a lowercase fragment.
    pub message: String,
    /// What to write instead, if that is known.
    pub hint: Option<&'static str>,
    /// The position in the schema of a column whose cell was wanted and has no value; nothing else is wrong then.
    pub valueless: Option<usize>,
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.index {
            Some(index) => write!(f, "{} at i = {index}", self.message),
            None => write!(f, "{} in row {}", self.message, self.row.saturating_add(1)),
        }
    }
}

impl Error for EvalError {}

/// Answers where they do not stay in a bank.
#[derive(Clone, Debug, Default)]
struct Answers {
    ints: Vec<i64>,
    wides: Vec<i128>,
    bigs: Vec<Integer>,
    floats: Vec<f64>,
    bools: Vec<bool>,
    rows: Vec<u32>,
}

/// Computes the answers of a program. It holds the buffers, so one is kept for many chunks.
#[derive(Clone, Debug)]
pub struct Evaluator<'p> {
    program: &'p Program,
    cpu: Cpu,
    banks: Banks,
    answers: Answers,
    slow: Slow,
    plan: Option<Plan>,
    /// The range, and the offsets in it, for which the plan was made.
    window: Option<(IndexRange, u64, u64)>,
    /// Facts from the types of the columns alone that were not enough for 64 bits.
    too_wide: Option<Vec<Option<Fact>>>,
}

impl<'p> Evaluator<'p> {
    /// An evaluator without buffers yet.
    #[must_use]
    pub fn new(program: &'p Program) -> Self {
        Self {
            program,
            cpu: Cpu::best(),
            banks: Banks::default(),
            answers: Answers::default(),
            slow: Slow::default(),
            plan: None,
            window: None,
            too_wide: None,
        }
    }

    /// The same, without the instructions that not every processor has. The answers are the same bits.
    #[must_use]
    pub fn portable(program: &'p Program) -> Self {
        Self { cpu: Cpu::Portable, ..Self::new(program) }
    }

    /// Evaluates `count` numbers of a range, from an offset on. At most [`LANES`] are taken.
    ///
    /// # Errors
    ///
    /// The first element that has no answer. Its row is its offset in the range.
    pub fn run_range(
        &mut self,
        range: &IndexRange,
        offset: u64,
        count: usize,
    ) -> Result<Chunk<'_>, EvalError> {
        let left = usize::try_from(range.length().saturating_sub(offset)).unwrap_or(usize::MAX);
        let lanes = count.min(left).min(LANES);
        if !self.program.is_range {
            return Err(self.misused(offset));
        }
        self.plan_range(range, offset, lanes);
        let input =
            range.short_at(offset).zip(range.short_step()).map(|(start, step)| Input::Range { start, step });
        if let Some(input) = input
            && self.lanes(input, lanes)
        {
            return Ok(self.chunk(input, lanes));
        }
        self.elements(lanes, offset, |lane| Element::Range(range, offset + lane as u64))
    }

    /// Evaluates the rows of columns in the order of the schema. All have `rows` lanes, at most [`LANES`].
    ///
    /// # Errors
    ///
    /// The first row that has no answer, counted from `first_row`; columns of a kind or length that was not agreed.
    pub fn run_columns<'a>(
        &'a mut self,
        columns: &'a [Column<'a>],
        rows: usize,
        first_row: u64,
    ) -> Result<Chunk<'a>, EvalError> {
        let agreed = self.program.kinds.iter().enumerate().all(|(at, kind)| {
            kind.is_none_or(|kind| {
                columns.get(at).is_some_and(|column| {
                    let fits = matches!(column, Column::Valueless(_)) || column.kind() == Some(kind);
                    fits && column.len() == rows
                })
            })
        });
        if !agreed || rows > LANES || self.program.is_range {
            return Err(self.misused(first_row));
        }
        if columns.iter().any(|column| matches!(column, Column::Valueless(_))) {
            return self.elements(rows, first_row, |row| Element::Row(columns, row));
        }
        self.plan_columns(columns);
        let input = Input::Columns(columns);
        if self.lanes(input, rows) {
            return Ok(self.chunk(input, rows));
        }
        self.elements(rows, first_row, |row| Element::Row(columns, row))
    }

    fn misused(&self, row: u64) -> EvalError {
        let message = "the columns are not those of the expression".to_owned();
        let span = self.program.nodes[self.program.root].span;
        EvalError { row, index: None, span, in_filter: false, message, hint: None, valueless: None }
    }

    /// A plan for the chunk at an offset, and for as many chunks after it as it can serve well.
    fn plan_range(&mut self, range: &IndexRange, offset: u64, lanes: usize) {
        let end = offset + lanes as u64;
        if let Some((known, from, to)) = &self.window
            && known == range
            && *from <= offset
            && end <= *to
        {
            return;
        }
        let mut best: Option<(Plan, u64)> = None;
        for window in WINDOWS {
            let to = offset.saturating_add(window).min(range.length()).max(end);
            let ends = range.short_at(offset).zip(range.short_at(to.saturating_sub(1).max(offset)));
            let bounds = ends.map(|(first, last)| Interval::point(first).hull(Interval::point(last)));
            let shape = if bounds.is_some() { Shape::Range } else { Shape::Big };
            let found = plan(
                &self.program.nodes,
                self.program.root,
                self.program.filter,
                &[Some(Fact { shape, bounds })],
            );
            if best.as_ref().is_none_or(|(best, _)| found.width < best.width) {
                best = Some((found, to));
            }
            if best.as_ref().is_some_and(|(best, _)| best.width == Width::Narrow) {
                break;
            }
        }
        if let Some((plan, to)) = best {
            self.banks.reserve(plan.buffers);
            self.plan = Some(plan);
            self.window = Some((range.clone(), offset, to));
        }
    }

    /// A plan for these columns: from their types if that is enough, else from what they hold.
    fn plan_columns(&mut self, columns: &[Column<'_>]) {
        let used = |at: usize| self.program.kinds.get(at).copied().flatten().is_some();
        let pick = |fact: fn(&Column<'_>) -> Option<Fact>| -> Vec<Option<Fact>> {
            columns
                .iter()
                .enumerate()
                .map(|(at, column)| if used(at) { fact(column) } else { None })
                .collect()
        };
        let is_narrow = |plan: &Plan| plan.width == Width::Narrow;
        let types = pick(|column| column.fact());
        if self.plan.as_ref().is_some_and(|plan| is_narrow(plan) && plan.holds(&types)) {
            return;
        }
        if self.too_wide.as_ref() != Some(&types) {
            let found = self.planned(&types);
            if is_narrow(&found) {
                self.adopt(found);
                return;
            }
            self.too_wide = Some(types);
        }
        let exact = pick(|column| column.scanned());
        if self.plan.as_ref().is_some_and(|plan| is_narrow(plan) && plan.holds(&exact)) {
            return;
        }
        let rounded: Vec<_> = exact.iter().map(|fact| fact.map(rounded_up)).collect();
        if self.plan.as_ref().is_some_and(|plan| plan.facts == rounded) {
            return;
        }
        let found = self.planned(&rounded);
        let closer = if is_narrow(&found) { None } else { Some(self.planned(&exact)) };
        self.adopt(closer.filter(|closer| closer.width < found.width).unwrap_or(found));
    }

    fn planned(&self, facts: &[Option<Fact>]) -> Plan {
        plan(&self.program.nodes, self.program.root, self.program.filter, facts)
    }

    fn adopt(&mut self, plan: Plan) {
        self.banks.reserve(plan.buffers);
        self.plan = Some(plan);
    }

    /// Runs the plan; false if the chunk has to be done element by element.
    fn lanes(&mut self, input: Input<'_>, lanes: usize) -> bool {
        let Some(plan) = self.plan.as_ref().filter(|plan| plan.width != Width::Big) else { return false };
        self.answers.rows.clear();
        let (filter, rest) = plan.steps.split_at(plan.filter_steps);
        let nodes = &self.program.nodes;
        let run = |steps: &[crate::plan::Step], banks: &mut Banks| {
            // Text steps are no loops over numbers and stay outside of the vectorised code.
            steps.chunk_by(|a, b| is_text(a, nodes) == is_text(b, nodes)).all(|steps| {
                if steps.first().is_some_and(|step| is_text(step, nodes)) {
                    steps.iter().all(|step| run_text(step, nodes, banks, input, lanes))
                } else {
                    self.cpu.run(Run { nodes, steps, banks, input, lanes })
                }
            })
        };
        if !run(filter, &mut self.banks) {
            return false;
        }
        if self.program.filter.is_some() {
            select_rows(&mut self.answers.rows, plan.filter, &self.banks, input, lanes);
            if self.answers.rows.is_empty() {
                return true;
            }
        }
        run(rest, &mut self.banks)
    }

    /// The answers that the plan has left in its places.
    fn chunk<'a>(&'a mut self, input: Input<'a>, lanes: usize) -> Chunk<'a> {
        let (root, bounds) = self.plan.as_ref().map_or((Place::None, None), |plan| (plan.root, plan.bounds));
        let filtered = self.program.filter.is_some();
        let picked = filtered && self.answers.rows.len() < lanes;
        let answers = &mut self.answers;
        let column = |at: usize| match input {
            Input::Columns(columns) => columns.get(at).copied().unwrap_or(Column::Absent),
            Input::Range { .. } => Column::Absent,
        };
        let rows: &[u32] = &answers.rows;
        let keep = picked.then_some(rows);
        let all = if picked { rows.len() } else { lanes };
        let values = match root {
            Place::Int(buffer) => {
                Values::I64(pick(&mut answers.ints, &self.banks.ints[buffer][..lanes], keep))
            }
            Place::Wide(buffer) => {
                Values::I128(pick(&mut answers.wides, &self.banks.wides[buffer][..lanes], keep))
            }
            Place::Float(buffer) => {
                Values::F64(pick(&mut answers.floats, &self.banks.floats[buffer][..lanes], keep))
            }
            Place::Bool(buffer) => {
                Values::Bool(pick(&mut answers.bools, &self.banks.bools[buffer][..lanes], keep))
            }
            Place::IntConst(value) => Values::I64(same(&mut answers.ints, value, all)),
            Place::WideConst(value) => Values::I128(same(&mut answers.wides, value, all)),
            Place::FloatConst(value) => Values::F64(same(&mut answers.floats, value, all)),
            Place::BoolConst(value) => Values::Bool(same(&mut answers.bools, value, all)),
            Place::IntColumn(at) => match column(at) {
                Column::I64(lanes) => Values::I64(pick(&mut answers.ints, lanes, keep)),
                _ => Values::I64(&[]),
            },
            Place::WideColumn(at) => match column(at) {
                Column::I128(lanes) => Values::I128(pick(&mut answers.wides, lanes, keep)),
                _ => Values::I64(&[]),
            },
            Place::FloatColumn(at) => match column(at) {
                Column::F64(lanes) => Values::F64(pick(&mut answers.floats, lanes, keep)),
                _ => Values::F64(&[]),
            },
            Place::BoolColumn(at) => match column(at) {
                Column::Bool(lanes) => Values::Bool(pick(&mut answers.bools, lanes, keep)),
                _ => Values::Bool(&[]),
            },
            Place::TextColumn(_) | Place::TextConst(_) | Place::None => Values::I64(&[]),
        };
        Chunk { values, bounds: bounds.filter(|_| matches!(values, Values::I64(_))), rows: keep }
    }

    /// Element by element.
    fn elements<'e>(
        &mut self,
        lanes: usize,
        first: u64,
        element: impl Fn(usize) -> Element<'e>,
    ) -> Result<Chunk<'_>, EvalError> {
        let program = self.program;
        let answers = &mut self.answers;
        answers.rows.clear();
        answers.ints.clear();
        answers.wides.clear();
        answers.bigs.clear();
        answers.floats.clear();
        answers.bools.clear();
        let mut known: Vec<Option<Value<'_>>> = vec![None; program.nodes.len()];
        for lane in 0..lanes {
            known.iter_mut().for_each(|known| *known = None);
            let here = element(lane);
            let failed = |(trouble, at): (Trouble, Id)| EvalError {
                row: first.saturating_add(lane as u64),
                index: if let Element::Range(range, offset) = here { Some(range.at(offset)) } else { None },
                span: program.nodes[at].span,
                in_filter: at < program.filter_nodes,
                message: trouble.message(),
                hint: trouble.hint(),
                valueless: if let Trouble::Valueless(column) = trouble { Some(column) } else { None },
            };
            if let Some(filter) = program.filter {
                let wanted = self.slow.value(&program.nodes, filter, here, &mut known);
                match wanted.map_err(failed)? {
                    Value::Bool(true) => {}
                    _ => continue,
                }
            }
            let value = self.slow.value(&program.nodes, program.root, here, &mut known);
            match value.map_err(failed)? {
                Value::Integer(value) => answers.bigs.push(value),
                Value::Float(value) => answers.floats.push(value),
                Value::Bool(value) => answers.bools.push(value),
                Value::Text(_) => {}
            }
            answers.rows.push(u32::try_from(lane).unwrap_or(u32::MAX));
        }
        let values = match program.kind() {
            Kind::Float => Values::F64(&answers.floats),
            Kind::Bool => Values::Bool(&answers.bools),
            Kind::Integer | Kind::Text => {
                answers.wides.extend(answers.bigs.iter().map_while(|value| i128::try_from(value).ok()));
                answers.ints.extend(answers.wides.iter().map_while(|value| i64::try_from(*value).ok()));
                if answers.ints.len() == answers.bigs.len() {
                    Values::I64(&answers.ints)
                } else if answers.wides.len() == answers.bigs.len() {
                    Values::I128(&answers.wides)
                } else {
                    Values::Big(&answers.bigs)
                }
            }
        };
        let rows = (answers.rows.len() < lanes).then_some(&answers.rows[..]);
        Ok(Chunk { values, bounds: None, rows })
    }
}

/// Bounds widened to powers of two, so that the next chunks are likely to lie within.
fn rounded_up(fact: Fact) -> Fact {
    let up = |value: i128| if value <= 0 { 0 } else { i128::MAX >> (value.leading_zeros() - 1) };
    let bounds = fact.bounds.map(|bounds| {
        let low = if bounds.low < 0 { !up(!bounds.low) } else { 0 };
        let low = if bounds.low == -1 { -1 } else { low };
        Interval::new(low, if bounds.high < 0 { -1 } else { up(bounds.high) })
    });
    Fact { bounds, ..fact }
}

/// Where the filter holds.
fn select_rows(rows: &mut Vec<u32>, filter: Place, banks: &Banks, input: Input<'_>, lanes: usize) {
    let mask: &[bool] = match (filter, input) {
        (Place::Bool(buffer), _) => &banks.bools[buffer][..lanes],
        (Place::BoolColumn(column), Input::Columns(columns)) => match columns.get(column) {
            Some(Column::Bool(mask)) => mask,
            _ => &[],
        },
        (Place::BoolConst(true), _) => {
            rows.extend(0..u32::try_from(lanes).unwrap_or(0));
            return;
        }
        _ => &[],
    };
    // Written always, advanced where it holds: no branch to guess.
    rows.resize(lanes, 0);
    let mut count = 0;
    for (row, holds) in (0u32..).zip(mask) {
        rows[count.min(lanes - 1)] = row;
        count += usize::from(*holds);
    }
    rows.truncate(count);
}

/// The lanes at these rows, or all of them where they are.
fn pick<'a, T: Copy>(answers: &'a mut Vec<T>, lanes: &'a [T], rows: Option<&[u32]>) -> &'a [T] {
    let Some(rows) = rows else { return lanes };
    answers.clear();
    answers.extend(rows.iter().map(|row| lanes[*row as usize]));
    answers
}

fn same<T: Copy>(answers: &mut Vec<T>, value: T, count: usize) -> &[T] {
    answers.clear();
    answers.resize(count, value);
    answers
}
