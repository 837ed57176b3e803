//! The names the language itself knows: functions and operators in words, and what was probably meant.

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Function {
    Abs,
    Min,
    Max,
    Floor,
    Ceil,
    Round,
    Sqrt,
    Exp,
    Ln,
    Log2,
    Log10,
    Sin,
    Cos,
    Tan,
    Int,
    Float,
    If,
}

impl Function {
    pub(crate) const ALL: [(&'static str, Self); 17] = [
        ("abs", Self::Abs),
        ("min", Self::Min),
        ("max", Self::Max),
        ("floor", Self::Floor),
        ("ceil", Self::Ceil),
        ("round", Self::Round),
        ("sqrt", Self::Sqrt),
        ("exp", Self::Exp),
        ("ln", Self::Ln),
        ("log2", Self::Log2),
        ("log10", Self::Log10),
        ("sin", Self::Sin),
        ("cos", Self::Cos),
        ("tan", Self::Tan),
        ("int", Self::Int),
        ("float", Self::Float),
        ("if", Self::If),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    /// Fewest and most arguments.
    pub(crate) fn arity(self) -> (usize, usize) {
        match self {
            Self::Min | Self::Max => (2, usize::MAX),
            Self::If => (3, 3),
            _ => (1, 1),
        }
    }
}

/// What people write who come from elsewhere, and what it is called here.
pub(crate) fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "log" => "write `ln(x)` for the natural logarithm, or `log2`, `log10`",
        "pow" | "power" => "write `x ** y`",
        "mod" | "fmod" => "write `x % y`",
        "div" => "write `x // y`",
        "ceiling" => "write `ceil(x)`",
        "trunc" | "truncate" => "write `int(x)`",
        "len" | "length" | "count" => "`tally count` counts elements",
        "where" | "iff" | "ifelse" | "iif" => "write `if(condition, a, b)`",
        _ => return None,
    })
}

/// The nearest of `known`, if it is near enough to have been meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let bound = (name.chars().count() / 3).max(1);
    let ranked =
        known.into_iter().filter(|known| known.len() <= LONGEST).map(|known| (distance(name, known), known));
    ranked
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Insertions, removals, changes and swaps of neighbours between two names; case alone is half a change, rounded down.
fn distance(a: &str, b: &str) -> usize {
    if a.to_lowercase() == b.to_lowercase() {
        return 0;
    }
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let known = ["price", "region", "quantity"];
        assert_eq!(nearest("pirce", known), Some("price"));
        assert_eq!(nearest("Region", known), Some("region"));
        assert_eq!(nearest("qty", known), None);
        assert_eq!(nearest("sqr", Function::ALL.iter().map(|(name, _)| *name)), Some("sqrt"));
    }
}
