//! Batches of rows on their way into the state of a part: as they are, through an expression, by groups, as decimals.

use tally_columns::{Batch, Column as Cells, Decimals, Integers, Kind as CellKind, Valueless};
use tally_expr::{Column, EvalError, Evaluator, LANES, Program};
use tally_protocol::job::OnBad;
use tally_reduce::{DecimalSum, Indices, Integer, NanPolicy, Partial, Tally};

use crate::Fault;
use crate::chunk::{absorb, too_many, without_answer};
use crate::decimal::{self, DecimalPlan};
use crate::group::{DecimalGroups, Groups, Keys};

/// What is folded of each row.
pub(crate) enum Fold {
    /// The row itself, to be counted.
    Rows,
    /// One column as it is.
    Column(CellKind),
    /// What an expression makes of some columns.
    Computed { program: Program, texts: Texts, kinds: Vec<CellKind> },
    /// The same over decimals.
    Decimal { plan: DecimalPlan, texts: Texts, kinds: Vec<CellKind> },
}

/// An expression and a filter as they were typed, for errors.
#[derive(Clone)]
pub(crate) struct Texts {
    pub(crate) of: String,
    pub(crate) filter: Option<String>,
}

impl Fold {
    /// What the columns of a value are read as.
    pub(crate) fn kinds(&self) -> Vec<CellKind> {
        match self {
            Self::Rows => Vec::new(),
            Self::Column(kind) => vec![*kind],
            Self::Computed { kinds, .. } | Self::Decimal { kinds, .. } => kinds.clone(),
        }
    }

    pub(crate) fn texts(&self) -> Option<&Texts> {
        match self {
            Self::Computed { texts, .. } | Self::Decimal { texts, .. } => Some(texts),
            Self::Rows | Self::Column(_) => None,
        }
    }
}

/// What went wrong with a batch.
pub(crate) enum Trouble {
    Element(EvalError),
    /// A cell that was wanted has no value.
    Cell(Valueless),
    Fault(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Where the values go.
enum Into<'t> {
    Whole(&'t mut Partial),
    Groups(Box<Groups<'t>>),
    Decimals(&'t mut DecimalSum),
    DecimalGroups(Box<DecimalGroups<'t>>),
}

impl Into<'_> {
    fn make_nan(&mut self, values: u64) {
        match self {
            Self::Whole(partial) => partial.make_nan(values),
            Self::Groups(groups) => groups.make_nan(values),
            // There is no such policy of decimals.
            Self::Decimals(_) | Self::DecimalGroups(_) => {}
        }
    }
}

/// Takes batch after batch of one part.
pub(crate) struct Taker<'t> {
    fold: &'t Fold,
    evaluator: Option<Evaluator<'t>>,
    /// Which columns of an expression are wanted of every row.
    always: Vec<bool>,
    into: Into<'t>,
    nan: NanPolicy,
    on_bad: OnBad,
}

impl<'t> Taker<'t> {
    pub(crate) fn new(fold: &'t Fold, nan: NanPolicy, on_bad: OnBad, tally: &'t mut Tally) -> Self {
        let (evaluator, always) = match fold {
            Fold::Computed { program, .. } => (Some(Evaluator::new(program)), program.always_wanted()),
            Fold::Rows | Fold::Column(_) | Fold::Decimal { .. } => (None, Vec::new()),
        };
        let into = match tally {
            Tally::Plain(partial) => Into::Whole(partial),
            Tally::Grouped(grouped) => Into::Groups(Box::new(Groups::new(grouped, nan))),
            Tally::Decimal { sum, .. } => Into::Decimals(sum),
            Tally::GroupedDecimal(grouped) => Into::DecimalGroups(Box::new(DecimalGroups::new(grouped))),
        };
        Self { fold, evaluator, always, into, nan, on_bad }
    }

    /// Folds a batch, which was read from `bytes`; of its columns the last ones are keys, where there are groups.
    pub(crate) fn take(&mut self, batch: &Batch, bytes: &[u8]) -> Result<(), Trouble> {
        let skipped = batch.skipped_rows();
        let values = self.fold.kinds().len().min(batch.columns().len());
        let (columns, keys) = batch.columns().split_at(values);
        let keys = Keys { columns: keys, bytes };
        match &mut self.into {
            Into::Whole(partial) => partial.skip(skipped),
            Into::Groups(groups) => groups.skip(skipped),
            Into::Decimals(sum) => sum.skip(skipped),
            Into::DecimalGroups(groups) => groups.skip(skipped),
        }
        let skips = self.on_bad == OnBad::Skip;
        match (self.fold, &mut self.into) {
            (Fold::Computed { .. }, into) => {
                let Some(evaluator) = &mut self.evaluator else { return Ok(()) };
                let rows = Rows { batch, columns, bytes, nan: self.nan, on_bad: self.on_bad };
                into.make_nan(rows.wanted_nans(evaluator, &self.always));
                rows.compute(evaluator, into, keys)
            }
            (Fold::Decimal { plan, .. }, Into::Decimals(sum)) => {
                let left_out = plan.compute(batch, columns, bytes, skips, &mut |_, value| {
                    sum.add(value, None);
                    Ok(())
                })?;
                sum.skip(left_out);
                Ok(())
            }
            (Fold::Decimal { plan, .. }, Into::DecimalGroups(groups)) => {
                let left_out = plan.compute(batch, columns, bytes, skips, &mut |row, value| {
                    groups.value(keys, row, value)
                })?;
                groups.skip(left_out);
                Ok(())
            }
            (Fold::Column(_), Into::Whole(partial)) => {
                partial.make_nan(batch.made_nan().len() as u64);
                Ok(absorb_column(columns, self.nan, partial)?)
            }
            (Fold::Column(_), Into::Groups(groups)) => {
                groups.make_nan(batch.made_nan().len() as u64);
                Ok(group_column(columns, groups, keys)?)
            }
            (Fold::Column(_), Into::Decimals(sum)) => Ok(decimal::absorb_column(decimals(columns)?, sum)?),
            (Fold::Column(_), Into::DecimalGroups(groups)) => Ok(groups.column(decimals(columns)?, keys)?),
            (Fold::Rows, into) => Ok(count_rows(batch.rows(), into, keys)?),
            (Fold::Decimal { .. }, Into::Whole(_) | Into::Groups(_)) => Err(no_numbers().into()),
        }
    }

    /// After the last batch.
    pub(crate) fn end(self) -> Result<(), Fault> {
        match self.into {
            Into::Groups(mut groups) => groups.settle(),
            Into::DecimalGroups(mut groups) => groups.settle(),
            Into::Whole(_) | Into::Decimals(_) => Ok(()),
        }
    }
}

/// Rows on their way through an expression.
struct Rows<'a> {
    batch: &'a Batch,
    columns: &'a [Cells],
    bytes: &'a [u8],
    nan: NanPolicy,
    on_bad: OnBad,
}

impl Rows<'_> {
    fn compute(
        &self,
        evaluator: &mut Evaluator<'_>,
        into: &mut Into<'_>,
        keys: Keys<'_>,
    ) -> Result<(), Trouble> {
        let all = self.batch.rows();
        let mut from = 0;
        for cells in self.batch.valueless().chunk_by(|a, b| a.row == b.row) {
            let row = cells.first().map_or(all, |cell| cell.row);
            self.compute_rows(evaluator, into, keys, (from, row), &[])?;
            self.compute_rows(evaluator, into, keys, (row, row + 1), cells)?;
            from = row + 1;
        }
        self.compute_rows(evaluator, into, keys, (from, all), &[])
    }

    /// How many of the cells that were made a NaN are wanted: an expression, or a filter, may look at others only.
    fn wanted_nans(&self, evaluator: &mut Evaluator<'_>, always: &[bool]) -> u64 {
        let made = self.batch.made_nan().iter();
        let wanted = made.filter(|&&(row, column)| {
            always.get(column).copied().unwrap_or(false) || {
                let lanes: Vec<Lanes<'_>> =
                    self.columns.iter().map(|cells| Lanes::of(cells, self.bytes, row, row + 1)).collect();
                let mut columns: Vec<Column<'_>> = lanes.iter().map(Lanes::column).collect();
                columns[column] = Column::Valueless(1);
                let tried = evaluator.run_columns(&columns, 1, 0);
                tried.is_err_and(|error| error.valueless == Some(column))
            }
        });
        wanted.count() as u64
    }

    /// Some rows whose cells all have values, or one whose cells have none in these columns.
    fn compute_rows(
        &self,
        evaluator: &mut Evaluator<'_>,
        into: &mut Into<'_>,
        keys: Keys<'_>,
        (first, end): (usize, usize),
        valueless: &[Valueless],
    ) -> Result<(), Trouble> {
        for from in (first..end).step_by(LANES) {
            let to = (from + LANES).min(end);
            match self.run(evaluator, into, keys, (from, to), valueless)? {
                None => {}
                Some(error) if self.on_bad == OnBad::Error => return Err(trouble(error, valueless)),
                // One by one, to find those that have an answer.
                Some(_) => {
                    for row in from..to {
                        if self.run(evaluator, into, keys, (row, row + 1), valueless)?.is_some() {
                            self.without_answer(into, keys, row)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Folds some rows; the first that has no answer, if there is one, and then none is folded.
    fn run(
        &self,
        evaluator: &mut Evaluator<'_>,
        into: &mut Into<'_>,
        keys: Keys<'_>,
        (from, to): (usize, usize),
        valueless: &[Valueless],
    ) -> Result<Option<EvalError>, Fault> {
        let lanes: Vec<Lanes<'_>> =
            self.columns.iter().map(|cells| Lanes::of(cells, self.bytes, from, to)).collect();
        let mut columns: Vec<Column<'_>> = lanes.iter().map(Lanes::column).collect();
        for cell in valueless {
            columns[cell.column] = Column::Valueless(to - from);
        }
        let first = self.batch.row_number(from).saturating_sub(1);
        let chunk = match evaluator.run_columns(&columns, to - from, first) {
            Ok(chunk) => chunk,
            Err(error) => return Ok(Some(error)),
        };
        match into {
            Into::Whole(partial) => absorb(partial, &chunk, None, self.nan)?,
            Into::Groups(groups) => groups.absorb(&chunk, keys, from)?,
            Into::Decimals(_) | Into::DecimalGroups(_) => return Err(no_numbers()),
        }
        Ok(None)
    }

    /// A row that has no answer, where that is no reason to stop.
    fn without_answer(&self, into: &mut Into<'_>, keys: Keys<'_>, row: usize) -> Result<(), Fault> {
        match into {
            Into::Whole(partial) => without_answer(partial, None, self.on_bad, self.nan),
            Into::Groups(groups) if self.on_bad == OnBad::Skip => {
                groups.skip(1);
                Ok(())
            }
            Into::Groups(groups) => {
                groups.make_nan(1);
                groups.float(keys, row, f64::NAN)
            }
            Into::Decimals(_) | Into::DecimalGroups(_) => Err(no_numbers()),
        }
    }
}

/// Why a row has no answer: its expression, or a cell that it wanted.
pub(crate) fn trouble(error: EvalError, valueless: &[Valueless]) -> Trouble {
    let cell = error.valueless.and_then(|column| valueless.iter().find(|cell| cell.column == column));
    cell.cloned().map_or(Trouble::Element(error), Trouble::Cell)
}

/// Counts rows without looking at their cells.
fn count_rows(rows: usize, into: &mut Into<'_>, keys: Keys<'_>) -> Result<(), Fault> {
    match into {
        Into::Whole(partial) => partial.absorb_u8(&vec![0; rows], Indices::Unknown).map_err(too_many),
        Into::Groups(groups) => (0..rows).try_for_each(|row| groups.integer(keys, row, 0)),
        Into::Decimals(sum) => decimal::count_rows(rows, sum),
        Into::DecimalGroups(groups) => (0..rows).try_for_each(|row| groups.units(keys, row, (0, 0))),
    }
}

/// The one column of decimals.
fn decimals(columns: &[Cells]) -> Result<&Decimals, Fault> {
    match columns {
        [Cells::Decimal(decimals)] => Ok(decimals),
        _ => Err(no_numbers()),
    }
}

fn no_numbers() -> Fault {
    Fault::new("fold cells that are no numbers")
}

/// The cells of one column as an expression reads them.
enum Lanes<'a> {
    Short(&'a [i64]),
    Long(Vec<Integer>),
    Floats(&'a [f64]),
    Texts(Vec<&'a [u8]>),
}

impl<'a> Lanes<'a> {
    fn of(cells: &'a Cells, rest: &'a [u8], from: usize, to: usize) -> Self {
        match cells {
            Cells::Integer(integers) => {
                let first = integers.wide.partition_point(|(row, _)| *row < from);
                let wide: Vec<_> = integers.wide[first..].iter().take_while(|(row, _)| *row < to).collect();
                if wide.is_empty() {
                    return Self::Short(&integers.values[from..to]);
                }
                let mut all: Vec<Integer> =
                    integers.values[from..to].iter().map(|&value| value.into()).collect();
                for (row, value) in wide {
                    all[row - from].clone_from(value);
                }
                Self::Long(all)
            }
            Cells::Float(floats) => Self::Floats(&floats[from..to]),
            Cells::Text(texts) => {
                Self::Texts((from..to).map(|row| texts.get(rest, row).unwrap_or(&[])).collect())
            }
            Cells::Decimal(_) => Self::Texts(vec![&[]; to - from]),
        }
    }

    fn column(&self) -> Column<'_> {
        match self {
            Self::Short(values) => Column::I64(values),
            Self::Long(values) => Column::Big(values),
            Self::Floats(values) => Column::F64(values),
            Self::Texts(values) => Column::Text(values),
        }
    }
}

/// Folds one column as it is.
fn absorb_column(columns: &[Cells], nan: NanPolicy, partial: &mut Partial) -> Result<(), Fault> {
    match columns {
        [Cells::Integer(integers)] => absorb_integers(integers, partial),
        [Cells::Float(floats)] => partial.absorb_f64(floats, Indices::Unknown, nan).map_err(too_many),
        _ => Err(no_numbers()),
    }
}

fn absorb_integers(integers: &Integers, partial: &mut Partial) -> Result<(), Fault> {
    let mut from = 0;
    for (row, value) in &integers.wide {
        partial.absorb_i64(&integers.values[from..*row], Indices::Unknown).map_err(too_many)?;
        partial.absorb_integer(value, None).map_err(too_many)?;
        from = row + 1;
    }
    partial.absorb_i64(&integers.values[from..], Indices::Unknown).map_err(too_many)
}

/// The same by groups.
fn group_column(columns: &[Cells], groups: &mut Groups<'_>, keys: Keys<'_>) -> Result<(), Fault> {
    match columns {
        [Cells::Integer(integers)] => {
            let mut wide = integers.wide.iter().peekable();
            for (row, &value) in integers.values.iter().enumerate() {
                match wide.next_if(|(at, _)| *at == row) {
                    Some((_, value)) => groups.wide(keys, row, value)?,
                    None => groups.integer(keys, row, value)?,
                }
            }
            Ok(())
        }
        [Cells::Float(floats)] => {
            floats.iter().enumerate().try_for_each(|(row, &value)| groups.float(keys, row, value))
        }
        _ => Err(no_numbers()),
    }
}
