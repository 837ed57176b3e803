//! Rows of cells: CSV, TSV, one number a line.
//!
//! A column is of integers if all its numbers are written as integers, else of floats. Which, the first rows of the files
//! say; where they said integers and a number further on is none, the fold ends with the name of that column
//! (`Fault::floats`), and the whole job starts over with it as floats. So the answer depends on no cut.

use std::sync::Arc;

use tally_columns::{Format, Kind as CellKind, NoColumn, OnBad, Reader, TableError, Wanted};
use tally_expr::{Kind, Schema};
use tally_protocol::job::{self, KernelSpec};
use tally_protocol::site::Site;
use tally_protocol::source::{Files, Part};
use tally_reduce::{NanPolicy, Tally};

use crate::chunk::policy;
use crate::decimal::DecimalPlan;
use crate::files::FileBytes;
use crate::names::{Why, names_columns, no_column, only_counts, quoted, taken_for_names};
use crate::plan::compile;
use crate::rows::{Fold, Taker, Texts};
use crate::{Fault, KeepGoing};
use open::{Body, OneTable};
use run::Run;

mod columns;
mod open;
mod run;

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
        let wishes = columns::wishes(spec, &tables, &guesses)?;
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
        let kinds = columns::kinds(spec, &wishes, &tables, &guesses);
        let lines = formats.iter().all(|one| *one == Format::Lines);
        if !lines {
            columns::refuse_commas(&wishes, &kinds, &tables, &guesses)?;
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
            (None, None, [name]) => Fold::Column(columns::text_column(spec, files, &tables, name, kinds[0])?),
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
                let wrong = |fault| columns::of_texts(fault, &wishes, &kinds, &tables, &guesses);
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
