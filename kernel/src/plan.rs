//! From the words of a job to something that folds: what is compiled, which files are read how.

use std::path::Path;
use std::sync::Arc;

use tally_columns::{Dialect, Element, Format};
use tally_expr::{Program, Schema, WhichFault};
use tally_protocol::job::KernelSpec;
use tally_protocol::near;
use tally_protocol::source::{FileSource, Files, Source, parts};
use tally_reduce::Tally;

use crate::files::FileBytes;
use crate::names::names_columns;
use crate::numbers::Numbers;
use crate::range::{RangePlan, parse};
use crate::stream;
use crate::table::Tables;
use crate::{Fault, KeepGoing};

/// Bytes of a stream without a name that say what it is.
const GUESS_BYTES: u64 = 4 << 10;

/// What folds.
pub(crate) enum Plan {
    Range(RangePlan),
    Files(FilesPlan),
}

/// Files of one kind.
pub(crate) struct FilesPlan {
    bytes: Watched,
    reader: FileReader,
}

enum FileReader {
    /// Numbers of fixed width: npy and raw.
    Numbers(Numbers),
    /// Rows of cells: CSV, TSV, one number a line.
    Tables(Tables),
}

impl Plan {
    pub(crate) fn of(spec: &KernelSpec, bytes: Option<Box<dyn FileBytes>>) -> Result<Self, Fault> {
        match (&spec.source, bytes) {
            (Source::Ranges(_), _) => Ok(Self::Range(RangePlan::of(spec)?)),
            (Source::Files(files), Some(bytes)) => {
                let formats = files
                    .files
                    .iter()
                    .enumerate()
                    .map(|(at, file)| {
                        if is_nameless(file) { guess(at, file, spec, &*bytes) } else { format_of(file, spec) }
                    })
                    .collect::<Result<Vec<Format>, Fault>>()?;
                let bytes = Watched(bytes.into());
                let reader = bytes.if_unchanged(0..files.files.len(), |bytes| {
                    Self::reader_of(spec, files, &formats, bytes)
                })?;
                Ok(Self::Files(FilesPlan { bytes, reader }))
            }
            (Source::Files(_), None) => Err(Fault::new("fold files that did not come with the job")),
        }
    }

    fn reader_of(
        spec: &KernelSpec,
        files: &Files,
        formats: &[Format],
        bytes: &Arc<dyn FileBytes>,
    ) -> Result<FileReader, Fault> {
        let tabular =
            |format: &Format| matches!(format, Format::Csv { .. } | Format::Lines | Format::Parquet);
        let fixed = |format: &Format| matches!(format, Format::Npy | Format::Raw { .. });
        if formats.iter().all(fixed) {
            Ok(FileReader::Numbers(Numbers::read(spec, files, formats, &**bytes)?))
        } else if formats.iter().all(tabular) {
            Ok(FileReader::Tables(Tables::read(spec, files, formats, bytes)?))
        } else {
            Err(Fault::usage("fold tables and arrays in one job")
                .hint("all files of a job are either csv, tsv, txt and parquet, or npy and raw"))
        }
    }
}

/// Files that are looked at again after they were read: an answer, or a complaint, about bytes that changed meanwhile
/// counts for nothing.
struct Watched(Arc<dyn FileBytes>);

impl Watched {
    fn if_unchanged<T>(
        &self,
        mut files: impl Iterator<Item = usize>,
        read: impl FnOnce(&Arc<dyn FileBytes>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let result = read(&self.0);
        files.try_for_each(|file| self.0.unchanged(file))?;
        result
    }
}

impl FilesPlan {
    pub(crate) fn remark(&self) -> Option<&str> {
        match &self.reader {
            FileReader::Numbers(_) => None,
            FileReader::Tables(tables) => tables.remark(),
        }
    }

    pub(crate) fn is_of_floats(&self) -> bool {
        match &self.reader {
            FileReader::Numbers(numbers) => numbers.is_of_floats(),
            FileReader::Tables(tables) => tables.is_of_floats(),
        }
    }

    pub(crate) fn fold(
        &mut self,
        files: &Files,
        position: u64,
        count: u64,
        tally: &mut Tally,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let mut base = 0;
        for part in parts(files, position, count) {
            let more = &mut |done: u64| keep_going(base + done);
            let reader = &mut self.reader;
            let whole =
                self.bytes.if_unchanged(std::iter::once(part.file), |bytes| match (reader, &mut *tally) {
                    (FileReader::Numbers(numbers), Tally::Plain(partial)) => {
                        numbers.fold(&**bytes, part, partial, more)
                    }
                    (
                        FileReader::Numbers(_),
                        Tally::Grouped(_) | Tally::Decimal { .. } | Tally::GroupedDecimal(_),
                    ) => Err(Fault::usage("group an array or add it as decimals")),
                    (FileReader::Tables(tables), tally) => tables.fold(&**bytes, part, tally, more),
                })?;
            if !whole {
                return Ok(false);
            }
            base += part.to - part.from;
        }
        Ok(true)
    }
}

/// How a file is read, from what the user said and from its name.
fn format_of(file: &FileSource, spec: &KernelSpec) -> Result<Format, Fault> {
    let format = match &file.format {
        Some(word) => Format::from_word(word),
        None => Format::from_name(&file.name),
    };
    let format = format.map_err(|why| {
        let fault = Fault::usage(format!("read {}: {why}", file.name));
        let words = Element::words();
        let known: Vec<&str> =
            words.iter().map(String::as_str).chain(["csv", "tsv", "lines", "npy"]).collect();
        let meant = file.format.as_ref().and_then(|word| near::nearest(word, &known).into_iter().next());
        match meant {
            Some((_, meant)) => fault.hint(format!("did you mean '{meant}'?")),
            None => fault,
        }
    })?;
    adapted(file, spec, format)
}

/// Whether neither a name nor the user says how it is read: standard input, what a shell hands over as `/dev/fd/63`, a
/// FIFO.
pub(crate) fn is_nameless(file: &FileSource) -> bool {
    let by_name = ["/dev/", "/proc/"].iter().any(|place| file.name.starts_with(place));
    let stream = file.nameless || file.name == "-" || by_name;
    file.format.is_none() && stream && Format::from_name(&file.name).is_err()
}

/// How such a one is read, by its first bytes.
fn guess(at: usize, file: &FileSource, spec: &KernelSpec, bytes: &dyn FileBytes) -> Result<Format, Fault> {
    // Not one of raw numbers, so it may be compressed.
    let compression = stream::compression(at, &file.name, file.bytes, &Format::Lines, bytes)?;
    let (head, _) = stream::head(at, &file.name, file.bytes, GUESS_BYTES, compression, bytes)?;
    // Numbers, one a line, have nothing to delimit.
    let guess = match Format::guess(&head, names_columns(spec)) {
        Format::Lines if spec.delimiter.is_some() || spec.no_header => Format::CSV,
        guess => guess,
    };
    adapted(file, spec, guess)
}

/// The same with what the user says of tables.
fn adapted(file: &FileSource, spec: &KernelSpec, format: Format) -> Result<Format, Fault> {
    match format {
        Format::Csv { dialect, header } => {
            let dialect = match spec.delimiter {
                Some(byte) => Dialect::new(byte, dialect.quote())
                    .map_err(|why| Fault::usage(format!("read {}: {why}", file.name)))?,
                None => dialect,
            };
            Ok(Format::Csv { dialect, header: header && !spec.no_header })
        }
        Format::Lines | Format::Npy | Format::Raw { .. } | Format::Parquet if spec.delimiter.is_some() => {
            let why = "nothing stands between its cells";
            Err(Fault::usage(format!("use --delimiter with {}: {why}", file.name))
                .hint("--format csv reads a file as a table"))
        }
        Format::Lines | Format::Npy | Format::Raw { .. } | Format::Parquet if spec.no_header => {
            let why = "it is no table of text, and has no row of names";
            Err(Fault::usage(format!("use --no-header with {}: {why}", file.name))
                .hint("--format csv reads a file as a table"))
        }
        Format::Parquet if cfg!(feature = "parquet") => Ok(format),
        Format::Parquet => Err(Fault::usage(format!("read {}: this build has no Parquet", file.name))
            .hint("build it with cargo build --release --features parquet")),
        Format::Lines | Format::Npy | Format::Raw { .. } => Ok(format),
    }
}

/// Compiles an expression and, perhaps, a filter against what there is to name.
pub(crate) fn compile(of: &str, filter: Option<&str>, schema: &Schema) -> Result<Program, Fault> {
    let ast = parse("--of", of)?;
    let Some(filter) = filter else {
        return Program::compile(&ast, schema).map_err(|fault| Fault::of_text("--of", of, &fault));
    };
    let condition = parse("--where", filter)?;
    Program::compile_filtered(&ast, &condition, schema).map_err(|which| match which {
        WhichFault::Of(fault) => Fault::of_text("--of", of, &fault),
        WhichFault::Where(fault) => Fault::of_text("--where", filter, &fault),
    })
}

/// Finds what is wrong with a job over ranges, or with the texts of one over files, before it is submitted.
///
/// # Errors
/// The first fault.
pub fn check(spec: &KernelSpec) -> Result<(), Fault> {
    match &spec.source {
        Source::Ranges(_) => RangePlan::of(spec).map(|_| ()),
        Source::Files(files) => {
            if let Some(of) = &spec.of {
                parse("--of", of)?;
            }
            if let Some(filter) = &spec.filter {
                parse("--where", filter)?;
            }
            let named = files.files.iter().filter(|file| !is_nameless(file));
            named.into_iter().try_for_each(|file| format_of(file, spec).map(|_| ()))
        }
    }
}

/// The last part of a path, which is enough in an error about a cell.
pub(crate) fn short(name: &str) -> &str {
    Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or(name)
}
