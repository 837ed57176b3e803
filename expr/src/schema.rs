//! The names an expression may use, and what they hold.

use crate::value::Kind;

/// Names and kinds, in the order in which an evaluator is given the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    columns: Vec<(String, Kind)>,
    is_range: bool,
}

impl Schema {
    /// The elements are the numbers of a range; the only name is `i`.
    #[must_use]
    pub fn range() -> Self {
        Self { columns: vec![("i".to_owned(), Kind::Integer)], is_range: true }
    }

    /// The elements are rows with these columns. Of two columns of one name, the one of texts is meant where it is
    /// compared with a text that is written in quotes, and the first other one everywhere else.
    #[must_use]
    pub fn columns(columns: impl IntoIterator<Item = (String, Kind)>) -> Self {
        Self { columns: columns.into_iter().collect(), is_range: false }
    }

    /// Whether the elements are the numbers of a range.
    #[must_use]
    pub fn is_range(&self) -> bool {
        self.is_range
    }

    pub(crate) fn find(&self, name: &str) -> Option<(usize, Kind)> {
        let of_name = |column: &(String, Kind)| column.0 == name;
        let number = self.columns.iter().position(|column| of_name(column) && column.1 != Kind::Text);
        let position = number.or_else(|| self.columns.iter().position(of_name))?;
        Some((position, self.columns[position].1))
    }

    /// The column of that name that has texts.
    pub(crate) fn find_text(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(known, kind)| known == name && *kind == Kind::Text)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// How many columns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is no column at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}
