//! Numbers of fixed width: npy and raw files.
//!
//! A number belongs to the part of the file in which its first byte lies.

use tally_columns::{Buffer, Compression, Fixed, Format, Npy, NpyError, Slice};
use tally_expr::{Column, Evaluator, Kind, LANES, Program, Schema};
use tally_protocol::job::{KernelSpec, Nan};
use tally_protocol::source::{Files, Part};
use tally_reduce::{Indices, Partial};

use crate::chunk::{absorb, policy, too_many};
use crate::files::FileBytes;
use crate::plan::compile;
use crate::stream::{self, Plain, compression};
use crate::{Fault, KeepGoing};

/// What expressions call the number.
pub(crate) const NAME: &str = "value";

/// Bytes looked at between two questions whether to go on: what was read of them stays in the second-level cache.
const BETWEEN: u64 = 256 << 10;
/// Bytes of an npy header that are enough nearly always.
const HEAD_BYTES: u64 = 4 << 10;

/// Files of numbers.
pub(crate) struct Numbers {
    files: Vec<Fixed>,
    packed: Vec<(Compression, u64)>,
    names: Vec<String>,
    program: Option<Program>,
    of: String,
    filter: Option<String>,
    nan: Nan,
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
        let (mut fixed, mut packed) = (Vec::new(), Vec::new());
        for (at, (file, format)) in files.files.iter().zip(formats).enumerate() {
            let wrong = |why: String| Fault::usage(format!("read {}: {why}", file.name));
            let compression = compression(at, &file.name, file.bytes, format, bytes)?;
            packed.push((compression, file.bytes));
            fixed.push(match format {
                // How many there are is known at the end.
                Format::Raw { element, skip } if compression != Compression::None => {
                    let stride = element.number.bytes() as u64;
                    Fixed { element: *element, first: *skip, stride, count: u64::MAX / stride }
                }
                Format::Raw { element, skip } => {
                    Fixed::raw(*element, *skip, file.bytes).map_err(|why| wrong(why.to_string()))?
                }
                _ => npy(at, &file.name, file.bytes, compression, bytes, &wrong)?,
            });
        }
        let is_float = |fixed: &Fixed| fixed.element.number.is_float();
        let of = spec.of.clone().unwrap_or_else(|| NAME.to_owned());
        let program = if spec.of.is_none() && spec.filter.is_none() {
            None
        } else {
            let mixed = fixed.iter().any(is_float) && !fixed.iter().all(is_float);
            if mixed {
                return Err(Fault::usage("compute an expression over files of integers and files of floats")
                    .hint("convert one of them, or sum them without --of"));
            }
            let kind = if fixed.iter().any(is_float) { Kind::Float } else { Kind::Integer };
            let schema = Schema::columns([(NAME.to_owned(), kind)]);
            Some(compile(&of, spec.filter.as_deref(), &schema)?)
        };
        let names = files.files.iter().map(|file| file.name.clone()).collect();
        Ok(Self { files: fixed, packed, names, program, of, filter: spec.filter.clone(), nan: spec.nan })
    }

    /// False when it was told to stop.
    pub(crate) fn fold(
        &self,
        bytes: &dyn FileBytes,
        part: Part,
        partial: &mut Partial,
        keep_going: &mut KeepGoing<'_>,
    ) -> Result<bool, Fault> {
        let fixed = &self.files[part.file];
        if self.packed[part.file].0 != Compression::None {
            return self.unpacked(bytes, part, partial, keep_going);
        }
        // The numbers whose first byte lies in the part.
        let number_at =
            |offset: u64| offset.saturating_sub(fixed.first).div_ceil(fixed.stride).min(fixed.count);
        let (mut from, to) = (number_at(part.from), number_at(part.to));
        let step = (BETWEEN / fixed.stride).max(1);
        let start = fixed.range(from, to).0;
        let mut buffer = Buffer::default();
        while from < to {
            let until = (from + step).min(to);
            let (low, high) = fixed.range(from, until);
            let window = bytes.part(part.file, low, high)?;
            if (window.len() as u64) < high - low {
                return Err(Fault::new(format!("read {}: it is shorter than it was", self.names[part.file])));
            }
            let slice = fixed.slice(&window, &mut buffer);
            match &self.program {
                None => self.absorb(slice, partial)?,
                Some(program) => self.compute(program, slice, from, partial)?,
            }
            from = until;
            if from < to && !keep_going((high - start).min(part.to - part.from)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All numbers of a compressed file, if the part has its first byte; else none.
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
        let (fixed, name) = (&self.files[part.file], &self.names[part.file]);
        let (compression, length) = self.packed[part.file];
        let mut plain = Plain::new(part.file, name, length, compression, bytes);
        let mut buffer = Buffer::default();
        let open = fixed.count > u64::MAX / 16;
        let short = |why: &str| Fault::new(format!("read {name}: {why}"));
        if !plain.leave_out(fixed.first)? && fixed.count > 0 && !open {
            return Err(short("it is cut off"));
        }
        let step = (BETWEEN / fixed.stride).max(1);
        let mut at = 0;
        while at < fixed.count {
            let until = (at + step).min(fixed.count);
            let (low, high) = fixed.range(at, until);
            let wanted = usize::try_from(high - low).unwrap_or(usize::MAX);
            let apart = usize::try_from((until - at) * fixed.stride).unwrap_or(usize::MAX);
            if plain.rest().len() < apart && !plain.ended() {
                plain.fill(apart - plain.rest().len())?;
            }
            let rest = plain.rest();
            let window = &rest[..rest.len().min(wanted)];
            if window.len() < wanted && !open {
                return Err(short("it is cut off"));
            }
            if window.is_empty() {
                break;
            }
            if window.len() < wanted && !(window.len() as u64).is_multiple_of(fixed.stride) {
                return Err(short("its last number is incomplete"));
            }
            let slice = fixed.slice(window, &mut buffer);
            match &self.program {
                None => self.absorb(slice, partial)?,
                Some(program) => self.compute(program, slice, at, partial)?,
            }
            plain.done(apart);
            at = until;
            if !keep_going(plain.progress(part)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn absorb(&self, slice: Slice<'_>, partial: &mut Partial) -> Result<(), Fault> {
        let (nowhere, nan) = (Indices::Unknown, policy(self.nan));
        match slice {
            Slice::I8(values) => partial.absorb_i8(values, nowhere),
            Slice::I16(values) => partial.absorb_i16(values, nowhere),
            Slice::I32(values) => partial.absorb_i32(values, nowhere),
            Slice::I64(values) => partial.absorb_i64(values, nowhere),
            Slice::U8(values) => partial.absorb_u8(values, nowhere),
            Slice::U16(values) => partial.absorb_u16(values, nowhere),
            Slice::U32(values) => partial.absorb_u32(values, nowhere),
            Slice::U64(values) => partial.absorb_u64(values, nowhere),
            Slice::F32(values) => partial.absorb_f32(values, nowhere, nan),
            Slice::F64(values) => partial.absorb_f64(values, nowhere, nan),
        }
        .map_err(too_many)
    }

    fn compute(
        &self,
        program: &Program,
        slice: Slice<'_>,
        first: u64,
        partial: &mut Partial,
    ) -> Result<(), Fault> {
        let mut evaluator = Evaluator::new(program);
        let all = slice.len();
        for from in (0..all).step_by(LANES) {
            let to = (from + LANES).min(all);
            let column = match slice {
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
            };
            let chunk = evaluator
                .run_columns(std::slice::from_ref(&column), to - from, first + from as u64)
                .map_err(|error| Fault::of_element(&self.of, self.filter.as_deref(), &error))?;
            absorb(partial, &chunk, policy(self.nan))?;
        }
        Ok(())
    }
}

/// Reads the header of an npy file.
fn npy(
    file: usize,
    name: &str,
    length: u64,
    compression: Compression,
    bytes: &dyn FileBytes,
    wrong: &dyn Fn(String) -> Fault,
) -> Result<Fixed, Fault> {
    let mut size = HEAD_BYTES;
    // Of a compressed file nobody knows how long it is; its end is looked for when it is read.
    let plain = if compression == Compression::None { length } else { u64::MAX };
    loop {
        let (head, last) = stream::head(file, name, length, size, compression, bytes)?;
        match Npy::read(&head) {
            Ok(npy) => return npy.fixed(None, plain).map_err(|why| wrong(why.to_string())),
            Err(NpyError::Need(more)) if (more as u64) > size && !last => size = more as u64,
            Err(why) => return Err(wrong(why.to_string())),
        }
    }
}
