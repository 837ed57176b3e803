//! The names that expressions use for columns, and what is said of one that no column has.

use tally_expr::{Ast, Span, Use};
use tally_protocol::job::KernelSpec;
use tally_protocol::source::FileSource;
use tally_reduce::Reduction;

use crate::Fault;
use crate::plan::is_nameless;
use crate::range::parse;

/// Names that are numbers where no column is called so.
const CONSTANTS: [&str; 3] = ["pi", "inf", "nan"];

/// Whether only the number of rows is asked for.
pub(crate) fn only_counts(spec: &KernelSpec) -> bool {
    spec.reductions.iter().all(|&reduction| reduction == Reduction::Count)
}

/// The names in `--of`, then those in `--where`, each once. Constants among them count only if a column `is_known` to
/// be called so.
pub(crate) fn named(spec: &KernelSpec, is_known: impl Fn(&str) -> bool) -> Result<Vec<String>, Fault> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in used(spec, is_known)? {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The same with what is wanted of each; a name of which several things are wanted comes several times.
pub(crate) fn used(spec: &KernelSpec, is_known: impl Fn(&str) -> bool) -> Result<Vec<(String, Use)>, Fault> {
    let mut uses: Vec<(String, Use)> = Vec::new();
    for (option, text) in [("--of", &spec.of), ("--where", &spec.filter)] {
        let Some(text) = text else { continue };
        for (name, wanted) in parse(option, text)?.uses() {
            let counts = !CONSTANTS.contains(&name) || is_known(name);
            if counts && !uses.iter().any(|(known, other)| known == name && *other == wanted) {
                uses.push((name.to_owned(), wanted));
            }
        }
    }
    Ok(uses)
}

/// Why a name is no column of a file.
#[derive(Clone, Copy)]
pub(crate) enum Why<'a> {
    /// These are the names of its columns.
    Unknown(&'a [String]),
    /// Several columns are called so.
    Twice,
}

/// A name that is no column of a file: where it stands in the words of the job, and what may have been meant.
pub(crate) fn no_column(spec: &KernelSpec, file: &str, name: &str, why: Why<'_>) -> Fault {
    let fault = |why: &str| Fault {
        place: place(spec, name),
        ..Fault::usage(format!("find column '{name}' in {file}: {why}"))
    };
    match why {
        Why::Unknown(known) => {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            if let Some(hint) = misread(&names) {
                return fault("there is no such column").hint(hint);
            }
            if let Some(last) = numbered(&names) {
                return fault("there is no such column")
                    .hint(format!("its columns have no names but c1 to {last}: nothing names them"));
            }
            let hint = match tally_protocol::near::nearest(name, &names).first() {
                // As it is typed: in an expression, or bare in a list of columns.
                Some((_, near)) if wanted(spec, name).is_some() && quoted(near) != *near => {
                    format!("did you mean {}?", quoted(near))
                }
                Some((_, near)) => format!("did you mean '{near}'?"),
                None if tally_expr::function_names().any(|function| function == name) => {
                    format!("'{name}' is a function: write {name}(...)")
                }
                None => match known {
                    [] => "it has no columns at all".to_owned(),
                    [only] => format!("its only column is {}", quoted(only)),
                    _ => format!("there are {}", listed(known.iter())),
                },
            };
            let is_compared = wanted(spec, name) == Some(Use::Either) && !known.is_empty();
            let text = if is_compared { format!("; a text is written {name:?}") } else { String::new() };
            fault("there is no such column").hint(format!("{hint}{text}"))
        }
        Why::Twice => fault("several columns are called so")
            .hint("--no-header calls them c1, c2, ..., and --on-bad skip leaves the row of names out"),
    }
}

/// What the expressions want of a name first; nothing where it stands in none of them.
fn wanted(spec: &KernelSpec, name: &str) -> Option<Use> {
    let uses = used(spec, |known| known == name).ok()?;
    uses.into_iter().find(|(known, _)| known == name).map(|(_, wanted)| wanted)
}

/// The last one, if all of them are called by their number.
fn numbered<'a>(names: &[&'a str]) -> Option<&'a str> {
    let all = (1..).zip(names).all(|(number, name)| name.strip_prefix('c') == Some(&format!("{number}")));
    names.last().copied().filter(|_| all)
}

/// What the names of all columns betray: another delimiter, or that the first row is no header.
pub(crate) fn misread(names: &[&str]) -> Option<String> {
    if let [only] = names
        && let Some(delimiter) = [';', '\t', '|', ','].into_iter().find(|&one| only.contains(one))
    {
        let how = match delimiter {
            '\t' => "--format tsv".to_owned(),
            other => format!("--delimiter '{other}'"),
        };
        return Some(format!("its only column is {}: {how} may be meant", quoted(only)));
    }
    let numbers = !names.is_empty() && names.iter().all(|name| name.trim().parse::<f64>().is_ok());
    numbers.then(|| "its first row is one of numbers: --no-header calls its columns c1, c2, ...".to_owned())
}

/// Whether somebody names a column, and so knows that there is a row of names.
pub(crate) const fn names_columns(spec: &KernelSpec) -> bool {
    spec.of.is_some() || spec.filter.is_some() || !spec.by.is_empty()
}

/// What is told of a file whose first row was taken for names, though it may be one of its numbers. Nobody named any.
pub(crate) fn taken_for_names(file: &FileSource, names: &[String]) -> Option<String> {
    let first = names.first()?;
    let of = if file.name == "-" { "standard input" } else { &file.name };
    if names.iter().all(|name| name.trim().parse::<f64>().is_ok()) {
        return Some(format!(
            "the first row of {of} was taken for names, though it has numbers: --no-header"
        ));
    }
    let alone = names.len() == 1 && is_nameless(file);
    alone.then(|| format!("the first line of {of}, '{first}', was taken for the name of its column"))
}

/// The lines that show a name in `--of`, else in `--where`, else in `--by`.
fn place(spec: &KernelSpec, name: &str) -> Option<String> {
    let mut expressions = [&spec.of, &spec.filter].into_iter().flatten();
    let place = |text: &String| {
        let span: Span = Ast::parse(text).ok()?.first_place(name)?;
        Some(span.place(text))
    };
    expressions.find_map(place).or_else(|| {
        let at = spec.by.iter().position(|one| one == name)?;
        let start = spec.by[..at].iter().map(|before| before.len() + 1).sum::<usize>();
        Some(Span { start, end: start + name.len() }.place(&spec.by.join(",")))
    })
}

/// Names as an expression would have them, not too many.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<String> = names.map(|name| quoted(name)).collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let list = names.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

/// A name as an expression spells it.
pub(crate) fn quoted(name: &str) -> String {
    let plain = Ast::parse(name).is_ok_and(|ast| ast.names() == [name]);
    if plain { name.to_owned() } else { format!("col({name:?})") }
}
