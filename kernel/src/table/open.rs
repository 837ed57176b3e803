//! One file of rows, opened: how it is stored, and what its first rows say of its columns.

use std::sync::Arc;

use tally_columns::{Compression, Format, Kind as CellKind, Table, TableError};
use tally_protocol::site::Site;
use tally_protocol::source::FileSource;

use crate::Fault;
use crate::files::FileBytes;
use crate::place::Starts;
use crate::stream::{self, compression};

/// Bytes of a file's start that say what its columns are.
const SAMPLE_BYTES: u64 = 256 << 10;

/// A file of rows.
pub(super) struct OneTable {
    pub(super) name: String,
    pub(super) length: u64,
    /// Its columns.
    pub(super) table: Table,
    pub(super) body: Body,
    /// The numbers of the columns that are read, in the order of the fold.
    pub(super) columns: Vec<usize>,
}

/// How the rows of a file are stored.
pub(super) enum Body {
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
    pub(super) fn open(
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

    pub(super) fn is_empty(&self) -> bool {
        matches!(self.body, Body::Empty)
    }
}

#[cfg(feature = "parquet")]
impl OneTable {
    /// Whether its columns can be read as these kinds, and then as the text of keys.
    pub(super) fn check(&self, kinds: &[CellKind]) -> Result<(), Fault> {
        let Body::Parquet(parquet) = &self.body else { return Ok(()) };
        let kinds = kinds.iter().copied().chain(std::iter::repeat(CellKind::Text));
        for (&column, kind) in self.columns.iter().zip(kinds) {
            if let Some(why) = parquet.refuses(tally_columns::Wanted { column, kind }) {
                let name = &self.table.names()[column];
                return Err(Fault::usage(format!("read column '{name}' of {}: {why}", self.name)));
            }
        }
        Ok(())
    }
}

/// What the first rows of a column suggest.
#[derive(Clone)]
pub(super) struct Sampled {
    /// Nothing, where no row has a cell.
    pub(super) kind: Option<CellKind>,
    /// It has a number.
    pub(super) numeric: bool,
    /// All its texts are numbers with a decimal comma.
    pub(super) commas: bool,
    /// The row of the first text, and what stands there.
    pub(super) text: Option<(u64, String)>,
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
                let guesses = table.guess(head.get(body..).unwrap_or(&[]), last);
                let sampled = guesses.into_iter().map(|guess| {
                    let seen = guess.integers + guess.floats + guess.texts > 0;
                    Sampled {
                        kind: seen.then(|| guess.kind()),
                        numeric: guess.is_numeric(),
                        commas: guess.commas > 0 && guess.commas == guess.texts,
                        text: guess.first_text,
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
