//! Why a kernel has no answer, for people.

use std::fmt;

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
}

impl Fault {
    /// One line.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, hint: None, usage: false, floats: None }
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
        }
    }

    /// An element without an answer.
    pub(crate) fn of_element(of: &str, filter: Option<&str>, error: &tally_expr::EvalError) -> Self {
        let text = if error.in_filter { filter.unwrap_or(of) } else { of };
        Self {
            message: format!("compute '{text}': {error}"),
            place: Some(error.span.place(text)),
            hint: error.hint.map(str::to_owned),
            usage: false,
            floats: None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
