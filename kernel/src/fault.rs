//! Why a kernel has no answer, for people.

use std::fmt;

use tally_protocol::site::Site;

use crate::plan::short;

/// What is wrong, and perhaps where and what to do. `message` fits after "could not".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A fragment: "compute 'i / 0': division by zero at i = 0".
    pub message: String,
    /// Lines that show the place, with a caret.
    pub place: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// It is in what the user typed, not in the data.
    pub usage: bool,
    /// A column was read as integers and is of floats: fold all anew with it in `KernelSpec::floats`.
    pub floats: Option<String>,
    /// Where in the data.
    pub site: Option<Box<Site>>,
}

impl Fault {
    /// One line.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, hint: None, usage: false, floats: None, site: None }
    }

    /// The user's words are wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { usage: true, ..Self::new(message) }
    }

    /// With advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What is wrong with the text of an expression.
    pub(crate) fn of_text(option: &str, text: &str, fault: &tally_expr::Fault) -> Self {
        Self {
            message: format!("read {option} '{text}': {}", fault.message),
            place: Some(fault.place(text)),
            hint: fault.hint.clone(),
            usage: true,
            floats: None,
            site: None,
        }
    }

    /// With its place in the data.
    #[must_use]
    pub(crate) fn at(mut self, site: Site) -> Self {
        self.site = Some(Box::new(site));
        self
    }

    /// An element without an answer; of a range, if no file is named.
    pub(crate) fn of_element(
        of: &str,
        filter: Option<&str>,
        error: &tally_expr::EvalError,
        file: Option<&str>,
    ) -> Self {
        let text = if error.in_filter { filter.unwrap_or(of) } else { of };
        let where_it_is = file.map_or_else(String::new, |name| format!(" of {}", short(name)));
        let site = match (file, &error.index) {
            (Some(name), _) => Some(Site::of_file(name).row(error.row.saturating_add(1))),
            (None, Some(index)) => Some(Site::of_element(index)),
            (None, None) => None,
        };
        Self {
            place: Some(error.span.place(text)),
            hint: error.hint.map(str::to_owned),
            site: site.map(Box::new),
            ..Self::new(format!("compute '{text}': {error}{where_it_is}"))
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
