//! An expression, and perhaps a filter, that fit a schema and are ready to be evaluated.

use crate::ast::Ast;
use crate::fault::Fault;
use crate::graph::{Id, Node, Op};
use crate::lower::{lower, text_as_answer};
use crate::schema::Schema;
use crate::value::Kind;

/// A compiled expression. Another process compiles the same text to the same program.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) nodes: Vec<Node>,
    pub(crate) root: Id,
    pub(crate) filter: Option<Id>,
    /// Nodes before this one came from the text of the filter.
    pub(crate) filter_nodes: usize,
    pub(crate) is_range: bool,
    pub(crate) kinds: Vec<Option<Kind>>,
}

/// A fault of an expression or of its filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhichFault {
    /// In the expression of `--of`.
    Of(Fault),
    /// In the filter of `--where`.
    Where(Fault),
}

impl Program {
    /// Compiles an expression whose answer is wanted for every element.
    ///
    /// # Errors
    ///
    /// A name the schema has not, an operand of the wrong kind, a constant part that has no answer, a text as answer.
    pub fn compile(of: &Ast, schema: &Schema) -> Result<Self, Fault> {
        Self::build(of, None, schema).map_err(|fault| match fault {
            WhichFault::Of(fault) | WhichFault::Where(fault) => fault,
        })
    }

    /// Compiles an expression whose answer is wanted where the filter holds. Elsewhere it may have none.
    ///
    /// # Errors
    ///
    /// As [`Self::compile`], and a filter that is no condition.
    pub fn compile_filtered(of: &Ast, filter: &Ast, schema: &Schema) -> Result<Self, WhichFault> {
        Self::build(of, Some(filter), schema)
    }

    fn build(of: &Ast, filter: Option<&Ast>, schema: &Schema) -> Result<Self, WhichFault> {
        let mut nodes = Vec::new();
        let filter = match filter {
            None => None,
            Some(ast) => {
                let id = lower(ast, schema, &mut nodes, None).map_err(WhichFault::Where)?;
                let kind = nodes[id].kind;
                if kind != Kind::Bool {
                    let message = format!("the filter must be a condition, and this is {kind}");
                    let hint = format!(
                        "write `{} != {}`",
                        ast.text(),
                        if kind == Kind::Text { "\"\"" } else { "0" }
                    );
                    return Err(WhichFault::Where(Fault::new(ast.root.span, message).hint(hint)));
                }
                Some(id)
            }
        };
        let filter_nodes = nodes.len();
        let root = lower(of, schema, &mut nodes, filter).map_err(WhichFault::Of)?;
        if nodes[root].kind == Kind::Text {
            return Err(WhichFault::Of(text_as_answer(of)));
        }
        let mut kinds = vec![None; schema.len()];
        for node in &nodes {
            if let Op::Column(column) = node.op {
                kinds[column] = Some(node.kind);
            }
        }
        Ok(Self { nodes, root, filter, filter_nodes, is_range: schema.is_range(), kinds })
    }

    /// What its answers are.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.nodes[self.root].kind
    }

    /// Whether it has a filter.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.filter.is_some()
    }

    /// Which columns of the schema are wanted of every element, whatever is in it. Of another one only the evaluation of an
    /// element tells.
    #[must_use]
    pub fn always_wanted(&self) -> Vec<bool> {
        let mut wanted = vec![false; self.kinds.len()];
        let mut open = vec![self.filter.unwrap_or(self.root)];
        let mut seen = vec![false; self.nodes.len()];
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut seen[id], true) {
                continue;
            }
            let node = &self.nodes[id];
            match node.op {
                Op::Column(column) => wanted[column] = true,
                // The rest is wanted where the first argument says so.
                Op::And | Op::Or | Op::Select => open.extend(node.args.first()),
                _ => open.extend(&node.args),
            }
        }
        wanted
    }

    /// Positions in the schema of the columns that are read, rising. The others may be [`crate::Column::Absent`].
    #[must_use]
    pub fn columns(&self) -> Vec<usize> {
        let used = self.kinds.iter().enumerate().filter(|(_, kind)| kind.is_some());
        used.map(|(column, _)| column).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_columns_are_wanted_of_every_element() {
        let schema = Schema::columns(
            [("a", Kind::Float), ("b", Kind::Float), ("c", Kind::Float)]
                .map(|(name, kind)| (name.to_owned(), kind)),
        );
        let wanted = |of: &str, filter: Option<&str>| {
            let of = Ast::parse(of).unwrap();
            match filter {
                None => Program::compile(&of, &schema).unwrap().always_wanted(),
                Some(filter) => Program::compile_filtered(&of, &Ast::parse(filter).unwrap(), &schema)
                    .unwrap()
                    .always_wanted(),
            }
        };
        assert_eq!(wanted("a * b + 1", None), [true, true, false]);
        assert_eq!(wanted("if(a > 0, b, c)", None), [true, false, false]);
        assert_eq!(wanted("b", Some("a > 0")), [true, false, false]);
        assert_eq!(wanted("b", Some("a > 0 and c > 0 or b > 1")), [true, false, false]);
    }
}
