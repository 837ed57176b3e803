//! Rows of cells: CSV, TSV, one number a line.
//!
//! A column is of integers if all its numbers are written as integers, else of floats. Which, the first rows of the files
//! say; where they said integers and a number further on is none, the fold ends with the name of that column
//! (`Fault::floats`), and the whole job starts over with it as floats. So the answer depends on no cut.

use std::sync::Arc;

use tally_columns::{
    BadCell, Batch, Compression, Format, Kind as CellKind, NoColumn, OnBad, ROW_BYTES_MAX, ReadError, Reader,
    Table, TableError, Wanted, has_decimal_comma,
};
use tally_expr::{Kind, Schema, Use};
use tally_protocol::job::{self, KernelSpec};
use tally_protocol::site::Site;
use tally_protocol::source::{FileSource, Files, Part};
use tally_reduce::{NanPolicy, Tally};

use crate::chunk::policy;
use crate::decimal::DecimalPlan;
use crate::files::{Bytes, FileBytes};
use crate::names::{
    Why, listed, misread, names_columns, no_column, only_counts, quoted, taken_for_names, used,
};
use crate::place::{Start, Starts};
use crate::plan::{compile, short};
use crate::rows::{Fold, Taker, Texts, Trouble};
use crate::stream::{self, BLOCK_BYTES, Plain, compression};
use crate::{Fault, KeepGoing};

/// Bytes of a file's start that say what its columns are.
const SAMPLE_BYTES: u64 = 256 << 10;
/// Bytes of a window.
const WINDOW_BYTES: u64 = 256 << 10;
/// Bytes beyond the end of a part that are looked at for the end of its last row.
const BEYOND: u64 = 64 << 10;

/// What is said of `1,5`.
const COMMA: &str = "a decimal comma is not read: numbers have a point, as in 1.5";

/// Files of rows.
pub(crate) struct Tables {
    files: Vec<OneTable>,
    fold: Fold,
    /// Columns that group; they come after those of the fold.
    by: usize,
    on_bad: OnBad,
    /// The same for rows whose expression has no answer.
    unanswered: job::OnBad,
    nan: NanPolicy,
    /// What first rows were taken for, where nobody said so.
    remark: Option<String>,
}

pub(crate) struct OneTable {
    pub(crate) name: String,
    length: u64,
    /// Its columns.
    pub(crate) table: Table,
    body: Body,
    /// The numbers of the columns that are read, in the order of the fold.
    columns: Vec<usize>,
}

/// How the rows of a file are stored.
enum Body {
    /// There is not even a header: a file without columns and rows, which is nothing beside others.
    Empty,
    /// As text that can be cut.
    Text(Starts),
    /// As packed text.
    Packed(Compression),
    /// In row groups.
    #[cfg(feature = "parquet")]
    Parquet(tally_columns::Parquet),
}

impl OneTable {
    /// Opens a file, and looks what its columns are.
    fn open(
        at: usize,
        file: &FileSource,
        format: &Format,
        bytes: &Arc<dyn FileBytes>,
    ) -> Result<(Self, Vec<Sampled>), Fault> {
        let (name, length) = (file.name.clone(), file.bytes);
        #[cfg(feature = "parquet")]
        if *format == Format::Parquet {
            let parquet = crate::parquet::open(at, file, bytes)?;
            let table = parquet.table().clone();
            let kinds = (0..table.names().len()).map(|column| parquet.kind(column));
            let sampled = kinds.map(|kind| Sampled {
                kind,
                numeric: matches!(kind, Some(CellKind::Integer | CellKind::Float | CellKind::Decimal)),
                commas: false,
                text: None,
            });
            let sampled = sampled.collect();
            let body = Body::Parquet(parquet);
            return Ok((Self { name, length, table, body, columns: Vec::new() }, sampled));
        }
        let compression = compression(at, &name, length, format, &**bytes)?;
        let Some((table, sampled)) = head(at, file, format, compression, &**bytes)? else {
            let body = Body::Empty;
            let table = Table::known(tally_columns::Dialect::LINES, Vec::new(), tally_columns::Place::START);
            return Ok((Self { name, length, table, body, columns: Vec::new() }, Vec::new()));
        };
        let body = match compression {
            Compression::None => Body::Text(Starts::new(at, length, table.dialect(), table.body())),
            packed => Body::Packed(packed),
        };
        Ok((Self { name, length, table, body, columns: Vec::new() }, sampled))
    }

    fn is_empty(&self) -> bool {
        matches!(self.body, Body::Empty)
    }
}

#[cfg(feature = "parquet")]
impl OneTable {
    /// Whether its columns can be read as these kinds, and then as the text of keys.
    fn check(&self, kinds: &[CellKind]) -> Result<(), Fault> {
        let Body::Parquet(parquet) = &self.body else { return Ok(()) };
        let kinds = kinds.iter().copied().chain(std::iter::repeat(CellKind::Text));
        for (&column, kind) in self.columns.iter().zip(kinds) {
            if let Some(why) = parquet.refuses(Wanted { column, kind }) {
                let name = &self.table.names()[column];
                return Err(Fault::usage(format!("read column '{name}' of {}: {why}", self.name)));
            }
        }
        Ok(())
    }
}

impl Tables {
    pub(crate) fn read(
        spec: &KernelSpec,
        files: &Files,
        formats: &[Format],
        bytes: &Arc<dyn FileBytes>,
    ) -> Result<Self, Fault> {
        let mut tables = Vec::new();
        let mut guesses = Vec::new();
        for (at, (file, format)) in files.files.iter().zip(formats).enumerate() {
            let (table, sampled) = OneTable::open(at, file, format, bytes)?;
            tables.push(table);
            guesses.push(sampled);
        }
        if let Some(first) = tables.first().filter(|_| tables.iter().all(OneTable::is_empty)) {
            let fault = Fault::new(format!("read {}: {}", first.name, TableError::NoHeader));
            return Err(fault.at(Site::of_file(&first.name)));
        }
        let wishes = wishes(spec, &tables, &guesses)?;
        let names: Vec<String> = wishes.iter().map(|wish| wish.name.clone()).collect();
        for table in tables.iter_mut().filter(|table| !table.is_empty()) {
            let find = |name: &String| {
                table.table.find(name).map_err(|why| {
                    let why = match &why {
                        NoColumn::Unknown(known) => Why::Unknown(known),
                        NoColumn::Twice => Why::Twice,
                    };
                    no_column(spec, &table.name, name, why)
                })
            };
            table.columns = names.iter().chain(&spec.by).map(find).collect::<Result<_, Fault>>()?;
        }
        let kinds: Vec<CellKind> = (0..names.len())
            .map(|at| {
                let kinds = tables
                    .iter()
                    .zip(&guesses)
                    .filter_map(|(table, kinds)| kinds.get(*table.columns.get(at)?)?.kind);
                match common(kinds) {
                    _ if wishes[at].wanted == Use::Text => CellKind::Text,
                    // Rows with no number are left out, or NaN, however many there are at the start.
                    CellKind::Text
                        if wishes[at].wanted == Use::Number && spec.on_bad != job::OnBad::Error =>
                    {
                        number_kind(spec, &names[at])
                    }
                    CellKind::Integer if spec.floats.contains(&names[at]) && !spec.decimal => CellKind::Float,
                    CellKind::Integer | CellKind::Float if spec.decimal => CellKind::Decimal,
                    kind => kind,
                }
            })
            .collect();
        let lines = formats.iter().all(|one| *one == Format::Lines);
        let texts = wishes
            .iter()
            .zip(&kinds)
            .filter(|(wish, kind)| !lines && wish.wanted == Use::Number && **kind == CellKind::Text);
        for (wish, _) in texts {
            let commas = tables.iter().zip(&guesses).find(|(table, sampled)| {
                let column = table.table.find(&wish.name).ok();
                column.and_then(|column| sampled.get(column)).is_some_and(|sampled| sampled.commas)
            });
            if let Some((table, _)) = commas {
                let message =
                    format!("read column '{}' of {} as numbers: it has text", wish.name, table.name);
                return Err(Fault::usage(message).hint(COMMA));
            }
        }
        #[cfg(feature = "parquet")]
        for table in &tables {
            table.check(&kinds)?;
        }
        let fold = match (&spec.of, &spec.filter, names.as_slice()) {
            (None, None, []) => Fold::Rows,
            // A line that is no number is a bad one; the fold will say which.
            (None, None, [_]) if kinds[0] == CellKind::Text && lines => {
                Fold::Column(if spec.decimal { CellKind::Decimal } else { CellKind::Integer })
            }
            (None, None, [name]) => Fold::Column(text_column(spec, files, &tables, name, kinds[0])?),
            (of, filter, _) => {
                let of = of.clone().unwrap_or_else(|| match names.first() {
                    Some(name) if !only_counts(spec) => quoted(name),
                    _ => "0".to_owned(),
                });
                let columns = names.iter().cloned().zip(kinds.iter().map(|kind| match kind {
                    CellKind::Integer => Kind::Integer,
                    CellKind::Float | CellKind::Decimal => Kind::Float,
                    CellKind::Text => Kind::Text,
                }));
                let schema = Schema::columns(columns);
                let texts = Texts { of, filter: filter.clone() };
                let wrong = |fault: Fault| {
                    let tables: Vec<_> = tables.iter().zip(guesses.iter().map(Vec::as_slice)).collect();
                    of_texts(fault, &wishes, &kinds, &tables)
                };
                if spec.decimal {
                    let plan = DecimalPlan::of(&texts.of, filter.as_deref(), &schema).map_err(wrong)?;
                    Fold::Decimal { plan, texts, kinds }
                } else {
                    let program = compile(&texts.of, filter.as_deref(), &schema).map_err(wrong)?;
                    Fold::Computed { program, texts, kinds }
                }
            }
        };
        let on_bad = match spec.on_bad {
            job::OnBad::Error => OnBad::Error,
            job::OnBad::Skip => OnBad::Skip,
            job::OnBad::Nan => OnBad::Nan,
        };
        let remark = files.files.iter().zip(formats).zip(&tables).find_map(|((file, format), table)| {
            let header = matches!(format, Format::Csv { header: true, .. });
            taken_for_names(file, table.table.names()).filter(|_| header && !names_columns(spec))
        });
        Ok(Self {
            remark,
            files: tables,
            fold,
            by: spec.by.len(),
            on_bad,
            unanswered: spec.on_bad,
            nan: policy(spec.nan),
        })
    }

    pub(crate) fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// Whether the answers are of floats.
    pub(crate) fn is_of_floats(&self) -> bool {
        match &self.fold {
            Fold::Column(kind) => *kind == CellKind::Float,
            Fold::Computed { program, .. } => program.kind() == Kind::Float,
            Fold::Rows | Fold::Decimal { .. } => false,
        }
    }

    /// False when it was told to stop.
    pub(crate) fn fold(
        &mut self,
        bytes: &dyn FileBytes,
        part: Part,
        tally: &mut Tally,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let file = &mut self.files[part.file];
        let kinds = self.fold.kinds().into_iter().chain(std::iter::repeat_n(CellKind::Text, self.by));
        let wanted: Vec<Wanted> =
            file.columns.iter().zip(kinds).map(|(&column, kind)| Wanted { column, kind }).collect();
        let mut taker = Taker::new(&self.fold, self.nan, self.unanswered, tally);
        let run = Run { bytes, part, texts: self.fold.texts(), name: &file.name, length: file.length };
        let reader = || {
            let reader = Reader::new(&file.table, &wanted, self.on_bad);
            // Only an expression may not want a cell.
            if self.fold.texts().is_some() { reader.deferring() } else { reader }
        };
        let whole = match &mut file.body {
            Body::Empty => true,
            Body::Text(starts) => run.mapped(&file.table, starts, &mut reader(), &mut taker, keep_going)?,
            Body::Packed(compression) => {
                run.unpacked(&file.table, *compression, &mut reader(), &mut taker, keep_going)?
            }
            #[cfg(feature = "parquet")]
            Body::Parquet(parquet) => run.grouped(parquet, &wanted, self.on_bad, &mut taker, keep_going)?,
        };
        if whole {
            taker.end()?;
        }
        Ok(whole)
    }
}

/// A part on its way through a reader.
struct Run<'a> {
    bytes: &'a dyn FileBytes,
    part: Part,
    texts: Option<&'a Texts>,
    /// The name of the file.
    name: &'a str,
    length: u64,
}

impl Run<'_> {
    /// The rows of a part of a plain file.
    fn mapped(
        &self,
        table: &Table,
        starts: &mut Starts,
        reader: &mut Reader,
        taker: &mut Taker<'_>,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let (bytes, part) = (self.bytes, self.part);
        let start = match starts.first(bytes, part.from, &mut || keep_going(0))? {
            Start::At(place) if place.offset <= part.to && place.offset < self.length => place,
            Start::At(_) | Start::None => return Ok(true),
            Start::Stopped => return Ok(false),
        };
        let mut batch = Batch::default();
        let mut window = Window::new(part.file, self.length, start.offset, part.to);
        let mut place = start;
        let mut view = window.map(bytes)?;
        while place.offset <= part.to {
            let rest = window.rest(&view, place.offset);
            let limit = usize::try_from(part.to - place.offset + 1).unwrap_or(usize::MAX);
            let read = reader.read(rest, limit, window.is_last(), &mut place, &mut batch);
            let taken = match read {
                Ok(taken) => taken,
                Err(error) => {
                    let place = starts.count(bytes, error.place().offset)?;
                    return Err(self.stop(table, &error.at(place)));
                }
            };
            if taken == 0 {
                if window.is_last() || !window.move_on(place.offset) {
                    break;
                }
                drop(view);
                view = window.map(bytes)?;
                continue;
            }
            match taker.take(&batch, rest) {
                Ok(()) => {}
                Err(Trouble::Fault(fault)) => return Err(fault),
                Err(Trouble::Cell(cell)) => {
                    let error = reader.complaint(&batch, &cell, place.offset - taken as u64, rest);
                    let place = starts.count(bytes, error.place().offset)?;
                    return Err(self.stop(table, &error.at(place)));
                }
                Err(Trouble::Element(mut error)) => {
                    // Rows are numbered from the file's start only where quotes made us count them.
                    let counted = starts.count(bytes, start.offset)?;
                    error.row = error.row.saturating_add(counted.row - start.row);
                    return Err(self.element(&error));
                }
            }
            if place.offset <= part.to && !keep_going(place.offset.saturating_sub(part.from)) {
                return Ok(false);
            }
        }
        if place.offset > part.to {
            starts.was_read(part.to, place);
        }
        Ok(true)
    }

    /// All rows of a compressed file, if the part has its first byte; else none.
    fn unpacked(
        &self,
        table: &Table,
        compression: Compression,
        reader: &mut Reader,
        taker: &mut Taker<'_>,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        if self.part.from > 0 {
            return Ok(true);
        }
        let mut plain = Plain::new(self.part.file, self.name, self.length, compression, self.bytes);
        let mut batch = Batch::default();
        let mut place = table.body();
        if !plain.leave_out(place.offset)? {
            return Ok(true);
        }
        loop {
            let rest = plain.rest();
            let taken = reader
                .read(rest, rest.len(), plain.ended(), &mut place, &mut batch)
                .map_err(|error| self.stop(table, &error))?;
            if taken == 0 {
                if plain.ended() {
                    return Ok(true);
                }
                plain.fill(BLOCK_BYTES)?;
            } else {
                taker.take(&batch, rest).map_err(|trouble| match trouble {
                    Trouble::Fault(fault) => fault,
                    Trouble::Element(error) => self.element(&error),
                    Trouble::Cell(cell) => {
                        let offset = place.offset - taken as u64;
                        self.stop(table, &reader.complaint(&batch, &cell, offset, rest))
                    }
                })?;
                plain.done(taken);
            }
            if !keep_going(plain.progress(self.part)) {
                return Ok(false);
            }
        }
    }

    /// The rows of the row groups that begin in the part.
    #[cfg(feature = "parquet")]
    fn grouped(
        &self,
        parquet: &tally_columns::Parquet,
        wanted: &[Wanted],
        on_bad: OnBad,
        taker: &mut Taker<'_>,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let wrong = |error: tally_columns::ParquetError| match error {
            tally_columns::ParquetError::Row(error) => self.stop(parquet.table(), &error),
            other => Fault::new(format!("read {}: {other}", self.name)).at(Site::of_file(&self.name)),
        };
        let mut batch = Batch::default();
        for group in parquet.groups(self.part.from, self.part.to) {
            // Only an expression may not want a cell.
            let mut rows = parquet.rows_of(group, wanted, on_bad, self.texts.is_some()).map_err(wrong)?;
            while rows.read(&mut batch).map_err(wrong)? {
                taker.take(&batch, &[]).map_err(|trouble| match trouble {
                    Trouble::Fault(fault) => fault,
                    Trouble::Element(error) => self.element(&error),
                    Trouble::Cell(cell) => self.stop(parquet.table(), &rows.complaint(&batch, &cell)),
                })?;
                if !keep_going(0) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether the file begins with what no text has. Of one that is packed its own bytes say nothing.
    fn is_binary(&self) -> bool {
        const LOOKED_AT: u64 = 512;
        const PACKED: [&[u8]; 2] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd"];
        self.bytes
            .part(self.part.file, 0, self.length.min(LOOKED_AT))
            .is_ok_and(|head| head.contains(&0) && !PACKED.iter().any(|magic| head.starts_with(magic)))
    }

    /// Why rows could not be read. A column that is of floats after all is named, so that the job starts over.
    fn stop(&self, table: &Table, error: &ReadError) -> Fault {
        let site = Site::of_file(self.name).row(error.place().row);
        let site = match error {
            ReadError::Bad { column, .. } => site.column(column),
            _ => site,
        };
        let fault = Fault::new(format!("read {}: {error}", self.name)).at(site);
        match error {
            ReadError::NotInteger { column, .. } => {
                Fault { floats: table.names().get(*column).cloned(), ..fault }
            }
            ReadError::Bad { cell, .. } if has_decimal_comma(cell.as_bytes()) => fault.hint(COMMA),
            ReadError::Bad { .. } if table.names() == ["value"] && self.is_binary() => fault
                .hint("it is no text: --format says what the numbers of a binary file are, such as f64le"),
            ReadError::Bad { place, why: BadCell::NotNumber, cell, .. }
                if place.row == 1 && table.names() == ["value"] && begins_like_name(cell) =>
            {
                fault.hint("it looks like the header of a table: --format csv reads it as one")
            }
            ReadError::Bad { cell, .. } if table.names() == ["value"] && has_several_numbers(cell) => {
                fault.hint("a line has one number: tr -s ' \\t' '\\n' makes lines of several")
            }
            ReadError::Bad { .. } | ReadError::Ragged { .. } => {
                fault.hint("--on-bad skip leaves such rows out, --on-bad nan takes them for NaN")
            }
            // From here on nobody can say where rows end, whatever is done about bad ones.
            ReadError::Quote { .. } | ReadError::OpenQuote { .. } | ReadError::RowTooLong { .. } => fault,
        }
    }

    /// A row whose expression has no answer.
    fn element(&self, error: &tally_expr::EvalError) -> Fault {
        let (of, filter) = self.texts.map_or(("", None), |texts| (&*texts.of, texts.filter.as_deref()));
        Fault::of_element(of, filter, error, Some(self.name))
    }
}

/// Some of the bytes that a part's rows lie in, so few that they stay in a cache between being read and being used.
struct Window {
    file: usize,
    length: u64,
    start: u64,
    end: u64,
    /// Where the part ends, and its last row at the latest, if it is no long one.
    most: u64,
}

impl Window {
    fn new(file: usize, length: u64, start: u64, to: u64) -> Self {
        let most = to.saturating_add(BEYOND).min(length);
        Self { file, length, start, end: start.saturating_add(WINDOW_BYTES).min(most), most }
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

    /// Moves to the row at `offset`, and takes in more if it is no whole one yet; false if no row is that long.
    fn move_on(&mut self, offset: u64) -> bool {
        let end = offset.saturating_add(WINDOW_BYTES).min(self.most);
        self.start = offset;
        let end = if end > self.end {
            end
        } else {
            let more = (self.end - offset).clamp(BEYOND, 2 * ROW_BYTES_MAX as u64);
            self.end.saturating_add(more).min(self.length)
        };
        std::mem::replace(&mut self.end, end) < end
    }
}

/// Whether a line is more likely the name of a column than a number that is misspelt.
fn begins_like_name(cell: &str) -> bool {
    cell.trim_start_matches('"').starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// Whether a line has numbers with blanks between them.
fn has_several_numbers(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    words.clone().nth(1).is_some() && words.all(|word| word.parse::<f64>().is_ok())
}

/// What the first rows of a column suggest.
#[derive(Clone)]
struct Sampled {
    /// Nothing, where no row has a cell.
    kind: Option<CellKind>,
    numeric: bool,
    /// All its texts are numbers with a decimal comma.
    commas: bool,
    /// Of a column of texts, the row of the first one, and what stands there.
    text: Option<(u64, String)>,
}

/// The first row and what those after it suggest; nothing of a file that should have a header and has no row at all.
fn head(
    at: usize,
    file: &FileSource,
    format: &Format,
    compression: Compression,
    bytes: &dyn FileBytes,
) -> Result<Option<(Table, Vec<Sampled>)>, Fault> {
    let mut size = SAMPLE_BYTES;
    loop {
        let (head, last) = stream::head(at, &file.name, file.bytes, size, compression, bytes)?;
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            let fault =
                Fault::new(format!("read {}: it is UTF-16 text, as its first two bytes say", file.name));
            return Err(fault
                .at(Site::of_file(&file.name))
                .hint("iconv -f UTF-16 -t UTF-8 makes UTF-8 of it"));
        }
        let table = match format {
            Format::Csv { dialect, header } => Table::read(&head, *dialect, *header, last),
            _ => Ok(Table::lines(&head)),
        };
        match table {
            Ok(table) => {
                let body = usize::try_from(table.body().offset).unwrap_or(usize::MAX);
                let sample = head.get(body..).unwrap_or(&[]);
                let guesses = table.guess(sample, last);
                let sampled = guesses.iter().enumerate().map(|(column, guess)| {
                    let seen = guess.integers + guess.floats + guess.texts > 0;
                    Sampled {
                        kind: seen.then(|| guess.kind()),
                        numeric: guess.is_numeric(),
                        commas: guess.commas > 0 && guess.commas == guess.texts,
                        text: first_text(&table, column, sample, last)
                            .filter(|_| guess.kind() == CellKind::Text),
                    }
                });
                let sampled = sampled.collect();
                return Ok(Some((table, sampled)));
            }
            Err(TableError::Need) if !last => size = size.saturating_mul(4),
            Err(TableError::NoHeader) => return Ok(None),
            Err(why @ TableError::Returns) => {
                let fault = Fault::new(format!("read {}: {why}", file.name)).at(Site::of_file(&file.name));
                return Err(fault.hint("tr '\\r' '\\n' makes lines of it"));
            }
            Err(why) => {
                let fault = Fault::new(format!("read {}: {why}", file.name));
                return Err(fault.at(Site::of_file(&file.name)));
            }
        }
    }
}

/// The first cell of a column of texts, as a reader of numbers would object to it.
fn first_text(table: &Table, column: usize, sample: &[u8], last: bool) -> Option<(u64, String)> {
    let wanted = [Wanted { column, kind: CellKind::Integer }];
    let mut reader = Reader::new(table, &wanted, OnBad::Error);
    match reader.read(sample, sample.len(), last, &mut table.body(), &mut Batch::default()) {
        Err(ReadError::Bad { place, cell, .. }) => Some((place.row, cell)),
        _ => None,
    }
}

/// What is wrong with an expression, and where in the data the texts are that make it wrong.
fn of_texts(fault: Fault, wishes: &[Wish], kinds: &[CellKind], tables: &[(&OneTable, &[Sampled])]) -> Fault {
    let texts =
        wishes.iter().zip(kinds).filter(|(wish, kind)| wish.wanted != Use::Text && **kind == CellKind::Text);
    let first = texts.map(|(wish, _)| &wish.name).find_map(|name| {
        tables.iter().find_map(|(table, sampled)| {
            let (row, cell) = sampled.get(table.table.find(name).ok()?)?.text.as_ref()?;
            Some((table, name, *row, cell))
        })
    });
    match first {
        Some((table, name, row, cell)) if fault.usage && fault.site.is_none() => {
            let site = Site::of_file(&table.name).row(row).column(name);
            let message = format!(
                "{}: row {row} of {}, column {}, has '{}'",
                fault.message,
                short(&table.name),
                short(name),
                short(cell)
            );
            Fault { message, ..fault }.at(site)
        }
        _ => fault,
    }
}

/// A column that is read, and as what.
struct Wish {
    name: String,
    wanted: Use,
}

/// The columns that are read, in a fixed order: each once, or twice if its text is wanted besides.
fn wishes(spec: &KernelSpec, tables: &[OneTable], guesses: &[Vec<Sampled>]) -> Result<Vec<Wish>, Fault> {
    let is_known = |name: &str| tables.iter().any(|table| table.table.find(name).is_ok());
    let mut uses = used(spec, is_known)?;
    if spec.of.is_none() && !only_counts(spec) {
        let only = only_numeric(tables, guesses)?;
        uses.retain(|(name, wanted)| *name != only || *wanted == Use::Text);
        uses.insert(0, (only, Use::Number));
    }
    let mut wishes: Vec<Wish> = Vec::new();
    for (name, wanted) in uses {
        let same =
            |wish: &&mut Wish| wish.name == name && (wish.wanted == Use::Text) == (wanted == Use::Text);
        match wishes.iter_mut().find(same) {
            Some(known) => known.wanted = known.wanted.max(wanted),
            None => wishes.push(Wish { name, wanted }),
        }
    }
    Ok(wishes)
}

/// What a column without any number at its start is read as.
fn number_kind(spec: &KernelSpec, name: &String) -> CellKind {
    match () {
        () if spec.decimal => CellKind::Decimal,
        () if spec.on_bad == job::OnBad::Nan || spec.floats.contains(name) => CellKind::Float,
        () => CellKind::Integer,
    }
}

/// As what the only column is read. Of one without numbers the fold will say which cell is none, unless it is clear that the
/// file is read wrong.
fn text_column(
    spec: &KernelSpec,
    files: &Files,
    tables: &[OneTable],
    name: &str,
    kind: CellKind,
) -> Result<CellKind, Fault> {
    if kind != CellKind::Text {
        return Ok(kind);
    }
    let hint = tables.iter().find_map(|table| {
        let names: Vec<&str> = table.table.names().iter().map(String::as_str).collect();
        misread(&names)
    });
    if let Some(hint) = hint {
        let whose = files.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(
            Fault::usage(format!("fold column '{name}' of {whose}: it has text, no numbers")).hint(hint)
        );
    }
    Ok(if spec.decimal { CellKind::Decimal } else { CellKind::Integer })
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
        [] => {
            let commas = sampled.iter().any(|sampled| sampled.commas);
            Err(Fault::usage(format!("choose a column of {}: none has numbers", table.name))
                .hint(if commas { COMMA.to_owned() } else { format!("there are {}", listed(names.iter())) }))
        }
        several => Err(Fault::usage(format!("choose a column of {}: several have numbers", table.name))
            .hint(format!("name one with --of: {}", listed(several.iter().copied())))),
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
