//! The tree of an expression as it was written: no types yet, no meaning of names.
//!
//! A tree is never higher than [`crate::DEPTH_MAX`], so whoever walks it may recurse.

use tally_reduce::Integer;

use crate::fault::Span;
use crate::words::Function;

/// What an expression wants of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// The text of its cells: it is compared with a text that is written in quotes.
    Text,
    /// Whatever its cells are: it is compared with another column.
    Either,
    /// Numbers.
    Number,
}

/// An expression that was read without fault, and its text.
#[derive(Clone, Debug)]
pub struct Ast {
    pub(crate) text: String,
    pub(crate) root: Node,
}

impl Ast {
    /// The text it was read from. Another process reads it again to the same tree.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names of columns (or the index) that occur, each once, in order of their first place.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut seen: Vec<&str> = Vec::new();
        for (_, name) in self.places() {
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
        seen
    }

    /// Where a name of a column stands first.
    #[must_use]
    pub fn first_place(&self, name: &str) -> Option<Span> {
        self.places().into_iter().find(|(_, other)| *other == name).map(|(span, _)| span)
    }

    /// What is wanted of each name, in order of places; a name that is wanted in several ways comes several times.
    #[must_use]
    pub fn uses(&self) -> Vec<(&str, Use)> {
        let mut seen = Vec::new();
        for (_, name, wanted) in self.all_uses() {
            if !seen.contains(&(name, wanted)) {
                seen.push((name, wanted));
            }
        }
        seen
    }

    /// Every name of a column with its place, in order.
    fn places(&self) -> Vec<(Span, &str)> {
        self.all_uses().into_iter().map(|(span, name, _)| (span, name)).collect()
    }

    fn all_uses(&self) -> Vec<(Span, &str, Use)> {
        let mut names = Vec::new();
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            match &node.tree {
                Tree::Name(name) | Tree::Column(name) => names.push((node.span, name.as_str(), Use::Number)),
                Tree::Unary(_, a) => open.push(a),
                Tree::Binary(_, a, b) => open.extend([a.as_ref(), b.as_ref()]),
                Tree::Compare(first, rest) => {
                    open.extend(
                        [first.as_ref()]
                            .into_iter()
                            .chain(rest.iter().map(|(_, node)| node))
                            .filter(|node| !node.is_name()),
                    );
                    let mut left = first.as_ref();
                    for (_, right) in rest {
                        names.extend(
                            [left.wanted_beside(right), right.wanted_beside(left)].into_iter().flatten(),
                        );
                        left = right;
                    }
                }
                Tree::In { needle, items, .. } => {
                    open.extend([needle.as_ref()].into_iter().chain(items).filter(|node| !node.is_name()));
                    for item in items {
                        names.extend(
                            [needle.wanted_beside(item), item.wanted_beside(needle)].into_iter().flatten(),
                        );
                    }
                }
                Tree::Call(_, arguments) => open.extend(arguments),
                Tree::Integer(_) | Tree::Float(_) | Tree::Text(_) | Tree::Bool(_) => {}
            }
        }
        names.sort_unstable_by_key(|(span, _, wanted)| (span.start, *wanted));
        names
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) tree: Tree,
    pub(crate) span: Span,
    /// Levels of this tree, itself included.
    pub(crate) height: usize,
}

impl Node {
    /// What is wanted of this, if it is a column, where it is compared with another.
    fn wanted_beside(&self, other: &Self) -> Option<(Span, &str, Use)> {
        let (Tree::Name(name) | Tree::Column(name)) = &self.tree else { return None };
        let wanted = match other.tree {
            Tree::Text(_) => Use::Text,
            Tree::Name(_) | Tree::Column(_) => Use::Either,
            _ => Use::Number,
        };
        Some((self.span, name, wanted))
    }

    pub(crate) fn is_name(&self) -> bool {
        matches!(self.tree, Tree::Name(_) | Tree::Column(_))
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Integer(Integer),
    /// The span of the node holds its decimal text.
    Float(f64),
    Text(String),
    Bool(bool),
    Name(String),
    /// `col("…")`: a column, never a constant.
    Column(String),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<Node>, Box<Node>),
    /// A chain: `a < b <= c` holds if every neighbour compares so.
    Compare(Box<Node>, Vec<(Comparison, Node)>),
    In {
        needle: Box<Node>,
        items: Vec<Node>,
        negated: bool,
    },
    Call(Function, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Minus,
    Plus,
    Invert,
    Not,
}

#[cfg(test)]
impl Unary {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Minus => "-",
            Self::Plus => "+",
            Self::Invert => "~",
            Self::Not => "not",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Shr,
    And,
    Or,
}

impl Binary {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::FloorDiv => "//",
            Self::Mod => "%",
            Self::Pow => "**",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::BitXor => "xor",
            Self::Shl => "<<",
            Self::Shr => ">>",
            Self::And => "and",
            Self::Or => "or",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Comparison {
    #[cfg(test)]
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }

    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }
}
