//! Rows of cells: CSV, TSV, one number a line.
//!
//! A column is read as integers, floats or text, as the first rows of the files say. Where a column of integers turns out
//! to have a number with a point, that part is read once more, exactly: its integers stay integers and its other numbers
//! are the nearest floats, so that the answer is the same for any cut.

use std::collections::BTreeSet;

use tally_columns::{
    Batch, Column as Cells, Decimals, Format, Integers, Kind as CellKind, NoColumn, OnBad, ROW_BYTES_MAX,
    ReadError, Reader, Table, TableError, Wanted,
};
use tally_expr::{Ast, Column, Evaluator, Kind, LANES, Program, Schema};
use tally_protocol::job::{self, KernelSpec};
use tally_protocol::source::{Files, Part};
use tally_reduce::{Indices, Integer, NanPolicy, Partial, Reduction};

use crate::chunk::{absorb, policy, too_many};
use crate::files::{Bytes, FileBytes};
use crate::place::{Start, Starts};
use crate::plan::{compile, short};
use crate::range::parse;
use crate::{Fault, KeepGoing};

/// Bytes of a file's start that say what its columns are.
const SAMPLE_BYTES: u64 = 256 << 10;
/// Bytes beyond the end of a part that are looked at for the end of its last row.
const BEYOND: u64 = 64 << 10;

/// Files of rows.
pub(crate) struct Tables {
    files: Vec<OneTable>,
    fold: Fold,
    on_bad: OnBad,
    nan: NanPolicy,
}

struct OneTable {
    name: String,
    length: u64,
    table: Table,
    starts: Starts,
    /// The numbers of the columns that are read, in the order of the fold.
    columns: Vec<usize>,
}

/// What is folded of each row.
enum Fold {
    /// The row itself, to be counted.
    Rows,
    /// One column as it is.
    Column(CellKind),
    /// What an expression makes of some columns.
    Computed { program: Program, of: String, filter: Option<String>, kinds: Vec<CellKind> },
}

impl Tables {
    pub(crate) fn read(
        spec: &KernelSpec,
        files: &Files,
        formats: &[Format],
        bytes: &dyn FileBytes,
    ) -> Result<Self, Fault> {
        let mut tables = Vec::new();
        let mut guesses = Vec::new();
        for (at, (file, format)) in files.files.iter().zip(formats).enumerate() {
            let (table, kinds) = head(at, &file.name, file.bytes, format, bytes)?;
            let starts = Starts::new(at, file.bytes, table.dialect(), table.body());
            tables.push(OneTable {
                name: file.name.clone(),
                length: file.bytes,
                table,
                starts,
                columns: Vec::new(),
            });
            guesses.push(kinds);
        }
        let names = wanted_names(spec, &tables, &guesses)?;
        for table in &mut tables {
            let find =
                |name: &String| table.table.find(name).map_err(|why| no_column(&table.name, name, &why));
            table.columns = names.iter().map(find).collect::<Result<_, Fault>>()?;
        }
        let kinds: Vec<CellKind> = (0..names.len())
            .map(|at| {
                let kinds = tables
                    .iter()
                    .zip(&guesses)
                    .filter_map(|(table, kinds)| kinds.get(table.columns[at])?.kind);
                common(kinds)
            })
            .collect();
        let fold = match (&spec.of, &spec.filter, names.as_slice()) {
            (None, None, []) => Fold::Rows,
            (None, None, [name]) => {
                if kinds[0] == CellKind::Text {
                    return Err(Fault::usage(format!("fold column '{name}': it has text, no numbers")));
                }
                Fold::Column(kinds[0])
            }
            (of, filter, _) => {
                let of = of.clone().unwrap_or_else(|| match names.first() {
                    Some(name) if !only_counts(spec) => quoted(name),
                    _ => "0".to_owned(),
                });
                let columns = names.iter().cloned().zip(kinds.iter().map(|kind| match kind {
                    CellKind::Integer => Kind::Integer,
                    CellKind::Float => Kind::Float,
                    CellKind::Text | CellKind::Decimal => Kind::Text,
                }));
                let program = compile(&of, filter.as_deref(), &Schema::columns(columns))?;
                Fold::Computed { program, of, filter: filter.clone(), kinds }
            }
        };
        let on_bad = match spec.on_bad {
            job::OnBad::Error => OnBad::Error,
            job::OnBad::Skip => OnBad::Skip,
            job::OnBad::Nan => OnBad::Nan,
        };
        Ok(Self { files: tables, fold, on_bad, nan: policy(spec.nan) })
    }

    /// False when it was told to stop.
    pub(crate) fn fold(
        &mut self,
        bytes: &dyn FileBytes,
        part: Part,
        partial: &mut Partial,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let kinds = match &self.fold {
            Fold::Rows => Vec::new(),
            Fold::Column(kind) => vec![*kind],
            Fold::Computed { kinds, .. } => kinds.clone(),
        };
        let before = partial.clone();
        match self.fold_as(&kinds, bytes, part, partial, keep_going) {
            Err(Stop::NotInteger(fault)) => match &self.fold {
                Fold::Column(CellKind::Integer) => {
                    *partial = before;
                    self.fold_as(&[CellKind::Decimal], bytes, part, partial, keep_going).map_err(Stop::fault)
                }
                _ => Err(fault),
            },
            other => other.map_err(Stop::fault),
        }
    }

    fn fold_as(
        &mut self,
        kinds: &[CellKind],
        bytes: &dyn FileBytes,
        part: Part,
        partial: &mut Partial,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Stop> {
        let file = &mut self.files[part.file];
        let start = match file.starts.first(bytes, part.from, &mut || keep_going(0))? {
            Start::At(place) if place.offset <= part.to && place.offset < file.length => place,
            Start::At(_) | Start::None => return Ok(true),
            Start::Stopped => return Ok(false),
        };
        let wanted: Vec<Wanted> =
            file.columns.iter().zip(kinds).map(|(&column, &kind)| Wanted { column, kind }).collect();
        let mut reader = Reader::new(&file.table, &wanted, self.on_bad);
        let mut evaluator = match &self.fold {
            Fold::Computed { program, .. } => Some(Evaluator::new(program)),
            Fold::Rows | Fold::Column(_) => None,
        };
        let mut batch = Batch::default();
        let mut window = Window::new(part.file, file.length, start.offset, part.to);
        let mut place = start;
        let mut view = window.map(bytes)?;
        while place.offset <= part.to {
            let rest = window.rest(&view, place.offset);
            let limit = usize::try_from(part.to - place.offset + 1).unwrap_or(usize::MAX);
            let read = reader.read(rest, limit, window.is_last(), &mut place, &mut batch);
            let taken = match read {
                Ok(taken) => taken,
                Err(error) => return Err(stop(file, bytes, error)),
            };
            if taken == 0 {
                if window.is_last() || !window.grow() {
                    break;
                }
                view = window.map(bytes)?;
                continue;
            }
            partial.skip(batch.skipped_rows());
            match (&self.fold, &mut evaluator) {
                (Fold::Computed { of, filter, .. }, Some(evaluator)) => {
                    let rows = Rows { batch: &batch, rest, nan: self.nan };
                    match rows.compute(evaluator, partial) {
                        Ok(()) => {}
                        Err(Trouble::Fault(fault)) => return Err(fault.into()),
                        Err(Trouble::Element(mut error)) => {
                            // Rows are numbered from the file's start only where quotes made us count them.
                            let counted = file.starts.count(bytes, start.offset)?;
                            error.row = error.row.saturating_add(counted.row - start.row);
                            let mut fault = Fault::of_element(of, filter.as_deref(), &error);
                            fault.message = format!("{} of {}", fault.message, short(&file.name));
                            return Err(fault.into());
                        }
                    }
                }
                (Fold::Column(_), _) => absorb_column(batch.columns(), self.nan, partial)?,
                _ => partial.absorb_u8(&vec![0; batch.rows()], Indices::Unknown).map_err(too_many)?,
            }
            if place.offset <= part.to && !keep_going(place.offset.saturating_sub(part.from)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The bytes that a part's rows lie in, mapped a piece more at the end where its last row goes on.
struct Window {
    file: usize,
    length: u64,
    start: u64,
    end: u64,
}

impl Window {
    fn new(file: usize, length: u64, start: u64, to: u64) -> Self {
        Self { file, length, start, end: to.saturating_add(BEYOND).min(length) }
    }

    fn map(&self, bytes: &dyn FileBytes) -> Result<Bytes, Fault> {
        bytes.part(self.file, self.start, self.end)
    }

    fn is_last(&self) -> bool {
        self.end == self.length
    }

    fn rest<'a>(&self, view: &'a Bytes, offset: u64) -> &'a [u8] {
        let at = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        view.get(at..).unwrap_or(&[])
    }

    /// Takes in more at the end; false if no row is that long.
    fn grow(&mut self) -> bool {
        let more = (self.end - self.start).clamp(BEYOND, 2 * ROW_BYTES_MAX as u64);
        let end = self.end.saturating_add(more).min(self.length);
        std::mem::replace(&mut self.end, end) < end
    }
}

/// Why a part was not folded.
enum Stop {
    NotInteger(Fault),
    Fault(Fault),
}

impl Stop {
    fn fault(self) -> Fault {
        match self {
            Self::NotInteger(fault) | Self::Fault(fault) => fault,
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn stop(file: &mut OneTable, bytes: &dyn FileBytes, error: ReadError) -> Stop {
    let place = match file.starts.count(bytes, error.place().offset) {
        Ok(place) => place,
        Err(fault) => return Stop::Fault(fault),
    };
    let not_integer = matches!(error, ReadError::NotInteger { .. });
    let fault = Fault::new(format!("read {}: {}", file.name, error.at(place)));
    if not_integer {
        Stop::NotInteger(fault.hint(
            "the rows before it have integers in this column: write the first of them with a point to have all read as floats",
        ))
    } else {
        Stop::Fault(
            fault.hint(
                "--on-bad skip leaves such rows out, --on-bad nan takes them for NaN in columns of floats",
            ),
        )
    }
}

/// Rows on their way through an expression.
struct Rows<'a> {
    batch: &'a Batch,
    rest: &'a [u8],
    nan: NanPolicy,
}

impl Rows<'_> {
    fn compute(&self, evaluator: &mut Evaluator<'_>, partial: &mut Partial) -> Result<(), Trouble> {
        let all = self.batch.rows();
        for from in (0..all).step_by(LANES) {
            let to = (from + LANES).min(all);
            let lanes: Vec<Lanes<'_>> =
                self.batch.columns().iter().map(|cells| Lanes::of(cells, self.rest, from, to)).collect();
            let columns: Vec<Column<'_>> = lanes.iter().map(Lanes::column).collect();
            let first = self.batch.row_number(from).saturating_sub(1);
            let chunk = evaluator.run_columns(&columns, to - from, first).map_err(Trouble::Element)?;
            absorb(partial, &chunk, self.nan).map_err(Trouble::Fault)?;
        }
        Ok(())
    }
}

/// What went wrong with a chunk.
enum Trouble {
    Element(tally_expr::EvalError),
    Fault(Fault),
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
        [Cells::Decimal(decimals)] => absorb_mixed(decimals, nan, partial),
        _ => Err(Fault::new("fold cells that are no numbers")),
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

/// Integers as they are, other numbers as the nearest floats.
fn absorb_mixed(decimals: &Decimals, nan: NanPolicy, partial: &mut Partial) -> Result<(), Fault> {
    let mut wide = decimals.wide.iter().peekable();
    for (row, &(units, scale)) in decimals.values.iter().enumerate() {
        let (units, scale) = match wide.next_if(|(at, _)| *at == row) {
            Some((_, decimal)) => (decimal.units.clone(), decimal.scale),
            None => (units.into(), scale),
        };
        if scale <= 0 {
            let power = usize::try_from(scale.unsigned_abs()).unwrap_or(usize::MAX);
            let value = units * Integer::from(10).pow(power);
            partial.absorb_integer(&value, None).map_err(too_many)?;
        } else {
            // Rust reads the nearest double from any decimal text.
            let value: f64 = format!("{units}e-{scale}").parse().unwrap_or(f64::NAN);
            partial.absorb_f64(&[value], Indices::Unknown, nan).map_err(too_many)?;
        }
    }
    Ok(())
}

/// Whether only the number of rows is asked for.
fn only_counts(spec: &KernelSpec) -> bool {
    spec.reductions.iter().all(|&reduction| reduction == Reduction::Count)
}

/// What the first rows of a column suggest.
#[derive(Clone, Copy)]
struct Sampled {
    /// Nothing, where no row has a cell.
    kind: Option<CellKind>,
    numeric: bool,
}

fn head(
    at: usize,
    name: &str,
    length: u64,
    format: &Format,
    bytes: &dyn FileBytes,
) -> Result<(Table, Vec<Sampled>), Fault> {
    let mut size = SAMPLE_BYTES.min(length);
    loop {
        let head = bytes.part(at, 0, size)?;
        let last = size == length;
        let table = match format {
            Format::Csv { dialect, header } => Table::read(&head, *dialect, *header, last),
            _ => Ok(Table::lines(&head)),
        };
        match table {
            Ok(table) => {
                let body = usize::try_from(table.body().offset).unwrap_or(usize::MAX);
                let guesses = table.guess(head.get(body..).unwrap_or(&[]), last);
                let sampled = guesses.iter().map(|guess| {
                    let seen = guess.integers + guess.floats + guess.texts > 0;
                    Sampled { kind: seen.then(|| guess.kind()), numeric: guess.is_numeric() }
                });
                let sampled = sampled.collect();
                return Ok((table, sampled));
            }
            Err(TableError::Need) if !last => size = size.saturating_mul(4).min(length),
            Err(why) => return Err(Fault::new(format!("read {name}: {why}"))),
        }
    }
}

/// The columns that are read, each once, in a fixed order.
fn wanted_names(
    spec: &KernelSpec,
    tables: &[OneTable],
    guesses: &[Vec<Sampled>],
) -> Result<Vec<String>, Fault> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut add = |name: &str| {
        if seen.insert(name.to_owned()) {
            names.push(name.to_owned());
        }
    };
    match &spec.of {
        Some(of) => parse("--of", of)?.names().into_iter().for_each(&mut add),
        None if only_counts(spec) => {}
        None => add(&only_numeric(tables, guesses)?),
    }
    if let Some(filter) = &spec.filter {
        parse("--where", filter)?.names().into_iter().for_each(&mut add);
    }
    Ok(names)
}

/// The one column of numbers.
fn only_numeric(tables: &[OneTable], guesses: &[Vec<Sampled>]) -> Result<String, Fault> {
    let Some((table, sampled)) =
        tables.iter().zip(guesses).find(|(table, _)| !table.table.names().is_empty())
    else {
        return Ok("value".to_owned());
    };
    let names = table.table.names();
    if let [only] = names {
        return Ok(only.clone());
    }
    let numeric: Vec<&String> =
        names.iter().zip(sampled).filter(|(_, sampled)| sampled.numeric).map(|(name, _)| name).collect();
    match numeric.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Fault::usage(format!("choose a column of {}: none has numbers", table.name))
            .hint(format!("there are {}", listed(names.iter())))),
        several => Err(Fault::usage(format!("choose a column of {}: several have numbers", table.name))
            .hint(format!("name one with --of: {}", listed(several.iter().copied())))),
    }
}

/// Names as an expression would have them, not too many.
fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<String> = names.map(|name| quoted(name)).collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let list = names.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

/// A name as an expression spells it.
fn quoted(name: &str) -> String {
    let plain = Ast::parse(name).is_ok_and(|ast| ast.names() == [name]);
    if plain { name.to_owned() } else { format!("col({name:?})") }
}

fn no_column(file: &str, name: &str, why: &NoColumn) -> Fault {
    let fault = |why: &str| Fault::usage(format!("find column '{name}' in {file}: {why}"));
    match why {
        NoColumn::Unknown(known) => {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint = match tally_protocol::near::nearest(name, &names).first() {
                Some((_, near)) => format!("did you mean '{near}'?"),
                None => format!("there are {}", listed(known.iter())),
            };
            fault("there is no such column").hint(hint)
        }
        NoColumn::Twice => fault("several columns are called so"),
    }
}

/// One kind for all files: floats where any has floats; numbers where any has numbers.
fn common(kinds: impl Iterator<Item = CellKind>) -> CellKind {
    let kinds: Vec<CellKind> = kinds.collect();
    let has = |kind| kinds.contains(&kind);
    match () {
        () if has(CellKind::Float) => CellKind::Float,
        () if has(CellKind::Integer) || kinds.is_empty() => CellKind::Integer,
        () => CellKind::Text,
    }
}
