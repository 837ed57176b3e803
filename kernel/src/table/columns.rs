//! Which columns are read, and as what: by the words of the job, and by what the first rows of all files suggest.

use tally_columns::Kind as CellKind;
use tally_expr::Use;
use tally_protocol::job::{self, KernelSpec};
use tally_protocol::site::Site;
use tally_protocol::source::Files;

use super::COMMA;
use super::open::{OneTable, Sampled};
use crate::Fault;
use crate::names::{listed, misread, only_counts, used};
use crate::plan::short;

/// A column that is read, and as what.
pub(super) struct Wish {
    pub(super) name: String,
    wanted: Use,
}

/// The columns that are read, in a fixed order: each once, or twice if its text is wanted besides.
pub(super) fn wishes(
    spec: &KernelSpec,
    tables: &[OneTable],
    guesses: &[Vec<Sampled>],
) -> Result<Vec<Wish>, Fault> {
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

/// As what each of them is read.
pub(super) fn kinds(
    spec: &KernelSpec,
    wishes: &[Wish],
    tables: &[OneTable],
    guesses: &[Vec<Sampled>],
) -> Vec<CellKind> {
    let kind = |(at, wish): (usize, &Wish)| {
        let suggested = tables
            .iter()
            .zip(guesses)
            .filter_map(|(table, sampled)| sampled.get(*table.columns.get(at)?)?.kind);
        match common(suggested) {
            _ if wish.wanted == Use::Text => CellKind::Text,
            // Rows with no number are left out, or NaN, however many there are at the start.
            CellKind::Text if wish.wanted == Use::Number && spec.on_bad != job::OnBad::Error => {
                number_kind(spec, &wish.name)
            }
            CellKind::Integer if spec.floats.contains(&wish.name) && !spec.decimal => CellKind::Float,
            CellKind::Integer | CellKind::Float if spec.decimal => CellKind::Decimal,
            kind => kind,
        }
    };
    wishes.iter().enumerate().map(kind).collect()
}

/// Finds a column whose numbers are wanted and have a decimal comma.
pub(super) fn refuse_commas(
    wishes: &[Wish],
    kinds: &[CellKind],
    tables: &[OneTable],
    guesses: &[Vec<Sampled>],
) -> Result<(), Fault> {
    let texts = wishes
        .iter()
        .zip(kinds)
        .filter(|(wish, kind)| wish.wanted == Use::Number && **kind == CellKind::Text);
    for (wish, _) in texts {
        let commas = tables.iter().zip(guesses).find(|(table, sampled)| {
            let column = table.table.find(&wish.name).ok();
            column.and_then(|column| sampled.get(column)).is_some_and(|sampled| sampled.commas)
        });
        if let Some((table, _)) = commas {
            let message = format!("read column '{}' of {} as numbers: it has text", wish.name, table.name);
            return Err(Fault::usage(message).hint(COMMA));
        }
    }
    Ok(())
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
pub(super) fn text_column(
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

/// What is wrong with an expression, and where in the data the texts are that make it wrong.
pub(super) fn of_texts(
    fault: Fault,
    wishes: &[Wish],
    kinds: &[CellKind],
    tables: &[OneTable],
    guesses: &[Vec<Sampled>],
) -> Fault {
    let texts =
        wishes.iter().zip(kinds).filter(|(wish, kind)| wish.wanted != Use::Text && **kind == CellKind::Text);
    let first = texts.map(|(wish, _)| &wish.name).find_map(|name| {
        tables.iter().zip(guesses).find_map(|(table, sampled)| {
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
                name,
                cell
            );
            Fault { message, ..fault }.at(site)
        }
        _ => fault,
    }
}
