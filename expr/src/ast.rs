//! The tree of an expression as it was written: no types yet, no meaning of names.
//!
//! A tree is never higher than [`crate::DEPTH_MAX`], so whoever walks it may recurse.

use tally_reduce::Integer;

use crate::fault::Span;
use crate::words::Function;

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

    /// Every name of a column with its place, in order.
    fn places(&self) -> Vec<(Span, &str)> {
        let mut names = Vec::new();
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            match &node.tree {
                Tree::Name(name) | Tree::Column(name) => names.push((node.span, name.as_str())),
                Tree::Unary(_, a) => open.push(a),
                Tree::Binary(_, a, b) => open.extend([a.as_ref(), b.as_ref()]),
                Tree::Compare(first, rest) => {
                    open.push(first);
                    open.extend(rest.iter().map(|(_, node)| node));
                }
                Tree::In { needle, items, .. } => {
                    open.push(needle);
                    open.extend(items);
                }
                Tree::Call(_, arguments) => open.extend(arguments),
                Tree::Integer(_) | Tree::Float(_) | Tree::Text(_) | Tree::Bool(_) => {}
            }
        }
        names.sort_unstable_by_key(|(span, _)| span.start);
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
