//! Numbers of fixed width: npy and raw files.
//!
//! An array of two axes is rows of columns, which are called as those of a table without names. A row belongs to the
//! part of the file in which its first byte lies, or would lie if the rows were stored one after the other.

use tally_columns::{Buffer, Compression, Element, Fixed, Format, Npy, NpyError, Slice};
use tally_expr::{Column, Evaluator, Kind, LANES, Program, Schema};
use tally_protocol::job::{KernelSpec, Nan, OnBad};
use tally_protocol::site::Site;
use tally_protocol::source::{FileSource, Files, Part, place_in_file};
use tally_reduce::{Indices, Partial};

use crate::chunk::{absorb, policy, too_many, without_answer};
use crate::files::{Bytes, FileBytes};
use crate::names;
use crate::plan::compile;
use crate::stream::{self, Plain, compression};
use crate::{Fault, KeepGoing};

/// What expressions call the number of a row that has only one.
pub(crate) const NAME: &str = "value";

/// Bytes looked at between two questions whether to go on: what was read of them stays in the second-level cache.
const BETWEEN: u64 = 256 << 10;
/// Bytes of an npy header that are enough nearly always.
const HEAD_BYTES: u64 = 4 << 10;

/// Files of numbers.
pub(crate) struct Numbers {
    files: Vec<Array>,
    /// Whether any file is of floats.
    of_floats: bool,
    program: Option<Program>,
    of: String,
    filter: Option<String>,
    nan: Nan,
    on_bad: OnBad,
}

/// One file.
struct Array {
    /// Its number among the files.
    file: usize,
    name: String,
    bytes: u64,
    compression: Compression,
    /// Where the first row begins.
    data: u64,
    /// Bytes of a row.
    stride: u64,
    rows: u64,
    /// How many rows there are is known at the end.
    open: bool,
    /// The columns that are read.
    columns: Vec<Fixed>,
}

impl Numbers {
    pub(crate) fn read(
        spec: &KernelSpec,
        files: &Files,
        formats: &[Format],
        bytes: &dyn FileBytes,
    ) -> Result<Self, Fault> {
        if !spec.by.is_empty() {
            return Err(Fault::usage("group an array: --by names columns of a table"));
        }
        if spec.decimal {
            return Err(Fault::usage("add an array as decimals: --decimal reads text"));
        }
        let shapes: Vec<Shape> = (files.files.iter().zip(formats).enumerate())
            .map(|(at, (file, format))| Shape::read(at, file, format, bytes))
            .collect::<Result<_, Fault>>()?;
        let wanted = wanted(spec, files, &shapes)?;
        let arrays = files
            .files
            .iter()
            .zip(&shapes)
            .enumerate()
            .map(|(at, (file, shape))| shape.array(spec, (at, file), &wanted))
            .collect::<Result<Vec<_>, Fault>>()?;
        let of = spec.of.clone().unwrap_or_else(|| wanted.first().cloned().unwrap_or_else(|| "0".to_owned()));
        let program = if spec.of.is_none() && spec.filter.is_none() && wanted.len() == 1 {
            None
        } else {
            let is_float = |shape: &Shape| shape.element.number.is_float();
            if shapes.iter().any(is_float) && !shapes.iter().all(is_float) && !wanted.is_empty() {
                return Err(Fault::usage("compute an expression over files of integers and files of floats")
                    .hint("convert one of them, or sum them without --of"));
            }
            let kind = if shapes.iter().any(is_float) { Kind::Float } else { Kind::Integer };
            let schema = Schema::columns(wanted.iter().map(|name| (name.clone(), kind)));
            Some(compile(&of, spec.filter.as_deref(), &schema)?)
        };
        Ok(Self {
            files: arrays,
            of_floats: shapes.iter().any(|shape| shape.element.number.is_float()),
            program,
            of,
            filter: spec.filter.clone(),
            nan: spec.nan,
            on_bad: spec.on_bad,
        })
    }

    /// Whether the answers are of floats.
    pub(crate) fn is_of_floats(&self) -> bool {
        match &self.program {
            Some(program) => program.kind() == Kind::Float,
            None => self.of_floats,
        }
    }

    /// False when it was told to stop.
    pub(crate) fn fold(
        &self,
        bytes: &dyn FileBytes,
        part: Part,
        partial: &mut Partial,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let array = &self.files[part.file];
        if array.compression != Compression::None {
            return self.unpacked(bytes, part, partial, keep_going);
        }
        let row_at = |offset: u64| offset.saturating_sub(array.data).div_ceil(array.stride).min(array.rows);
        let (first, to) = (row_at(part.from), row_at(part.to));
        let step = (BETWEEN / array.stride).max(1);
        let mut buffers = array.buffers();
        let mut from = first;
        while from < to {
            let until = (from + step).min(to);
            let held = array.held(bytes, part.file, (from, until))?;
            let windows = array.columns.iter().zip(held.iter().cycle()).map(|(column, (start, held))| {
                let (low, high) = column.range(from, until);
                let at = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
                held.get(at(low)..at(high)).ok_or_else(|| array.wrong("it is shorter than it was"))
            });
            let windows: Vec<&[u8]> = windows.collect::<Result<_, Fault>>()?;
            self.take(array, &windows, (from, until), &mut buffers, partial)?;
            from = until;
            if from < to && !keep_going(((from - first) * array.stride).min(part.to - part.from)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All rows of a compressed file, if the part has its first byte; else none.
    fn unpacked(
        &self,
        bytes: &dyn FileBytes,
        part: Part,
        partial: &mut Partial,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        if part.from > 0 {
            return Ok(true);
        }
        let array = &self.files[part.file];
        let mut plain = Plain::new(part.file, &array.name, array.bytes, array.compression, bytes);
        if !plain.leave_out(array.data)? && array.rows > 0 && !array.open {
            return Err(array.wrong("it is cut off"));
        }
        let mut buffers = array.buffers();
        let step = (BETWEEN / array.stride).max(1);
        let mut at = 0;
        while at < array.rows {
            let mut until = (at + step).min(array.rows);
            let wanted = usize::try_from((until - at) * array.stride).unwrap_or(usize::MAX);
            if plain.rest().len() < wanted && !plain.ended() {
                plain.fill(wanted - plain.rest().len())?;
            }
            let rest = plain.rest();
            if rest.len() < wanted {
                if !array.open {
                    return Err(array.wrong("it is cut off"));
                }
                if !(rest.len() as u64).is_multiple_of(array.stride) {
                    return Err(array.wrong("its last number is incomplete"));
                }
                until = at + rest.len() as u64 / array.stride;
            }
            if until == at {
                break;
            }
            let windows = array.columns.iter().map(|column| {
                let skip = usize::try_from(column.first - array.data).unwrap_or(usize::MAX);
                rest.get(skip..rest.len().min(wanted)).unwrap_or(&[])
            });
            let windows: Vec<&[u8]> = windows.collect();
            self.take(array, &windows, (at, until), &mut buffers, partial)?;
            plain.done(wanted);
            at = until;
            if !keep_going(plain.progress(part)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Folds the rows `from..to`, of which each column has its window.
    fn take(
        &self,
        array: &Array,
        windows: &[&[u8]],
        (from, to): (u64, u64),
        buffers: &mut [Buffer],
        partial: &mut Partial,
    ) -> Result<(), Fault> {
        let columns = array.columns.iter().zip(windows).zip(buffers);
        let slices: Vec<Slice<'_>> =
            columns.map(|((column, window), buffer)| column.slice(window, buffer)).collect();
        let place = place_in_file(array.file, from);
        match (&self.program, slices.as_slice()) {
            (None, [slice]) => self.absorb(*slice, place, partial),
            (None, _) => Err(array.wrong("it has several columns")),
            (Some(program), slices) => {
                let rows = usize::try_from(to - from).unwrap_or(usize::MAX);
                self.compute(program, slices, (from, rows), array, partial)
            }
        }
    }

    fn absorb(&self, slice: Slice<'_>, place: Option<u64>, partial: &mut Partial) -> Result<(), Fault> {
        let (places, nan) = (place.map_or(Indices::Unknown, Indices::From), policy(self.nan));
        match slice {
            Slice::I8(values) => partial.absorb_i8(values, places),
            Slice::I16(values) => partial.absorb_i16(values, places),
            Slice::I32(values) => partial.absorb_i32(values, places),
            Slice::I64(values) => partial.absorb_i64(values, places),
            Slice::U8(values) => partial.absorb_u8(values, places),
            Slice::U16(values) => partial.absorb_u16(values, places),
            Slice::U32(values) => partial.absorb_u32(values, places),
            Slice::U64(values) => partial.absorb_u64(values, places),
            Slice::F32(values) => partial.absorb_f32(values, places, nan),
            Slice::F64(values) => partial.absorb_f64(values, places, nan),
        }
        .map_err(too_many)
    }

    fn compute(
        &self,
        program: &Program,
        slices: &[Slice<'_>],
        (first, rows): (u64, usize),
        array: &Array,
        partial: &mut Partial,
    ) -> Result<(), Fault> {
        let mut evaluator = Evaluator::new(program);
        let nan = policy(self.nan);
        let place = |row: usize| place_in_file(array.file, first + row as u64);
        let mut run = |from: usize, to: usize, partial: &mut Partial| {
            let columns: Vec<Column<'_>> = slices.iter().map(|slice| lanes(*slice, from, to)).collect();
            match evaluator.run_columns(&columns, to - from, first + from as u64) {
                Ok(chunk) => absorb(partial, &chunk, place(from), nan).map(|()| None),
                Err(error) => Ok(Some(error)),
            }
        };
        for from in (0..rows).step_by(LANES) {
            let to = (from + LANES).min(rows);
            match run(from, to, partial)? {
                None => {}
                Some(error) if self.on_bad == OnBad::Error => {
                    let (filter, file) = (self.filter.as_deref(), Some(array.name.as_str()));
                    return Err(Fault::of_element(&self.of, filter, &error, file));
                }
                // One by one, to find those that have an answer.
                Some(_) => {
                    for row in from..to {
                        if run(row, row + 1, partial)?.is_some() {
                            without_answer(partial, place(row), self.on_bad, nan)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn lanes(slice: Slice<'_>, from: usize, to: usize) -> Column<'_> {
    match slice {
        Slice::I8(values) => Column::I8(&values[from..to]),
        Slice::I16(values) => Column::I16(&values[from..to]),
        Slice::I32(values) => Column::I32(&values[from..to]),
        Slice::I64(values) => Column::I64(&values[from..to]),
        Slice::U8(values) => Column::U8(&values[from..to]),
        Slice::U16(values) => Column::U16(&values[from..to]),
        Slice::U32(values) => Column::U32(&values[from..to]),
        Slice::U64(values) => Column::U64(&values[from..to]),
        Slice::F32(values) => Column::F32(&values[from..to]),
        Slice::F64(values) => Column::F64(&values[from..to]),
    }
}

impl Array {
    fn wrong(&self, why: &str) -> Fault {
        wrong(&self.name, &why)
    }

    /// The bytes in which the wanted numbers of some rows lie, with the offset of each run: one run for all columns where
    /// rows are stored one after the other, else one for each.
    fn held(
        &self,
        bytes: &dyn FileBytes,
        file: usize,
        (from, to): (u64, u64),
    ) -> Result<Vec<(u64, Bytes)>, Fault> {
        let mut ranges: Vec<(u64, u64)> = self.columns.iter().map(|column| column.range(from, to)).collect();
        if self.columns.iter().all(|column| column.stride == self.stride) {
            let low = ranges.iter().map(|(low, _)| *low).min();
            let high = ranges.iter().map(|(_, high)| *high).max();
            ranges = low.zip(high).into_iter().collect();
        }
        ranges.into_iter().map(|(low, high)| Ok((low, bytes.part(file, low, high)?))).collect()
    }

    fn buffers(&self) -> Vec<Buffer> {
        vec![Buffer::default(); self.columns.len()]
    }
}

/// What a file says about its numbers.
struct Shape {
    compression: Compression,
    element: Element,
    /// Where the numbers begin.
    data: u64,
    rows: u64,
    open: bool,
    /// How many columns there are, and where each is; `None` of a raw file, which has one.
    npy: Option<Npy>,
    width: u64,
}

impl Shape {
    fn read(at: usize, file: &FileSource, format: &Format, bytes: &dyn FileBytes) -> Result<Self, Fault> {
        let compression = compression(at, &file.name, file.bytes, format, bytes)?;
        let packed = compression != Compression::None;
        if let Format::Raw { element, skip } = format {
            let length = if packed { *skip } else { file.bytes };
            let raw = Fixed::raw(*element, *skip, length).map_err(|why| wrong(&file.name, &why))?;
            let rows = if packed { u64::MAX / raw.stride } else { raw.count };
            let (element, data) = (*element, *skip);
            return Ok(Self { compression, element, data, rows, open: packed, npy: None, width: 1 });
        }
        let npy = npy(at, file, compression, bytes)?;
        let (rows, width) = match *npy.shape.as_slice() {
            [] => (1, 1),
            [rows] => (rows, 1),
            [rows, width] => (rows, width),
            _ => return Err(wrong(&file.name, &NpyError::Axes(npy.shape.len()))),
        };
        Ok(Self {
            compression,
            element: npy.element,
            data: npy.data,
            rows,
            open: false,
            npy: Some(npy),
            width,
        })
    }

    /// The number of the column that an expression calls so, from 0.
    fn find(&self, name: &str) -> Option<u64> {
        match name {
            NAME if self.width == 1 => Some(0),
            _ => {
                let number: u64 = name.strip_prefix('c')?.parse().ok()?;
                (1..=self.width).contains(&number).then(|| number - 1)
            }
        }
    }

    /// What expressions call its columns; the first of very many.
    fn names(&self) -> Vec<String> {
        const MANY: u64 = 1_000;
        if self.width == 1 {
            return vec![NAME.to_owned()];
        }
        (1..=self.width.min(MANY)).map(|number| format!("c{number}")).collect()
    }

    fn array(
        &self,
        spec: &KernelSpec,
        (at, file): (usize, &FileSource),
        wanted: &[String],
    ) -> Result<Array, Fault> {
        // Of a compressed file nobody knows how long it is; its end is looked for when it is read.
        let packed = self.compression != Compression::None;
        let length = if packed { u64::MAX } else { file.bytes };
        let item = self.element.number.bytes() as u64;
        let raw = Fixed { element: self.element, first: self.data, stride: item, count: self.rows };
        let column = |name: &String| {
            let unknown = || names::no_column(spec, &file.name, name, names::Why::Unknown(&self.names()));
            let column = self.find(name).ok_or_else(unknown)?;
            let fixed = self.npy.as_ref().map_or(Ok(raw), |npy| npy.fixed(Some(column), length));
            fixed.map_err(|why| wrong(&file.name, &why))
        };
        let columns = wanted.iter().map(column).collect::<Result<Vec<_>, Fault>>()?;
        let fortran = self.npy.as_ref().is_some_and(|npy| npy.fortran) && self.width > 1;
        let (mut data, mut stride) = (self.data, item.saturating_mul(self.width).max(1));
        match columns.as_slice() {
            [column] if packed && fortran => (data, stride) = (column.first, column.stride),
            [_, _, ..] if packed && fortran => {
                return Err(Fault::usage(format!(
                    "read several columns of {}: it is compressed, and has them one after the other",
                    file.name
                ))
                .hint("unpack it first"));
            }
            _ => {}
        }
        Ok(Array {
            file: at,
            name: file.name.clone(),
            bytes: file.bytes,
            compression: self.compression,
            data,
            stride,
            rows: self.rows,
            open: self.open,
            columns,
        })
    }
}

/// What is read of each row, each once.
fn wanted(spec: &KernelSpec, files: &Files, shapes: &[Shape]) -> Result<Vec<String>, Fault> {
    let is_known = |name: &str| shapes.iter().any(|shape| shape.find(name).is_some());
    let mut wanted = names::named(spec, is_known)?;
    if spec.of.is_none() && !names::only_counts(spec) {
        let wide = files.files.iter().zip(shapes).find(|(_, shape)| shape.width != 1);
        if let Some((file, shape)) = wide {
            let names = names::listed(shape.names().iter());
            return Err(Fault::usage(format!("choose a column of {}: it has {}", file.name, shape.width))
                .hint(format!("name one with --of: {names}")));
        }
        wanted.retain(|name| name != NAME);
        wanted.insert(0, NAME.to_owned());
    }
    Ok(wanted)
}

/// The file is not what it is read as: data, as a cell is that is no number.
fn wrong(name: &str, why: &dyn std::fmt::Display) -> Fault {
    Fault::new(format!("read {name}: {why}")).at(Site::of_file(name))
}

/// Reads the header of an npy file.
fn npy(at: usize, file: &FileSource, compression: Compression, bytes: &dyn FileBytes) -> Result<Npy, Fault> {
    let mut size = HEAD_BYTES;
    loop {
        let (head, last) = stream::head(at, &file.name, file.bytes, size, compression, bytes)?;
        match Npy::read(&head) {
            Ok(npy) => return Ok(npy),
            Err(NpyError::Need(more)) if (more as u64) > size && !last => size = more as u64,
            Err(why) => return Err(wrong(&file.name, &why)),
        }
    }
}
