//! One element at a time, with integers of any size, in the order in which a reader expects things to be computed.
//!
//! The way of last resort: integers beyond 128 bits, and chunks in which something failed, to find out what and where.
//! The second half of `and`, `or` and `if` is computed only where it is wanted. It does not recurse.

use crate::column::{Column, IndexRange};
use crate::graph::{Id, Node, Op, apply};
use crate::value::{Trouble, Value};

/// What one element is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Element<'a> {
    Range(&'a IndexRange, u64),
    Row(&'a [Column<'a>], usize),
}

/// Reused from element to element.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slow {
    open: Vec<Id>,
}

impl Slow {
    /// The answers of the nodes that `goal` needs, kept in `known`.
    pub(crate) fn value<'a>(
        &mut self,
        nodes: &'a [Node],
        goal: Id,
        element: Element<'a>,
        known: &mut [Option<Value<'a>>],
    ) -> Result<Value<'a>, (Trouble, Id)> {
        self.open.clear();
        self.open.push(goal);
        while let Some(id) = self.open.last().copied() {
            if known[id].is_some() {
                self.open.pop();
                continue;
            }
            let node = &nodes[id];
            let found = answer(node, element, known).map_err(|trouble| (trouble, id))?;
            match found {
                Found::Value(value) => known[id] = Some(value),
                Found::First(argument) => self.open.push(argument),
            }
        }
        known[goal].clone().ok_or((Trouble::Mistyped, goal))
    }
}

enum Found<'a> {
    Value(Value<'a>),
    /// This must be known before.
    First(Id),
}

fn answer<'a>(
    node: &'a Node,
    element: Element<'a>,
    known: &[Option<Value<'a>>],
) -> Result<Found<'a>, Trouble> {
    let choice = match (&node.op, &node.args[..]) {
        (Op::And, [a, b]) => match &known[*a] {
            None => return Ok(Found::First(*a)),
            Some(Value::Bool(false)) => Some(*a),
            Some(_) => Some(*b),
        },
        (Op::Or, [a, b]) => match &known[*a] {
            None => return Ok(Found::First(*a)),
            Some(Value::Bool(true)) => Some(*a),
            Some(_) => Some(*b),
        },
        (Op::Select, [c, a, b]) => match &known[*c] {
            None => return Ok(Found::First(*c)),
            Some(Value::Bool(true)) => Some(*a),
            Some(_) => Some(*b),
        },
        _ => None,
    };
    if let Some(choice) = choice {
        return Ok(known[choice].clone().map_or(Found::First(choice), Found::Value));
    }
    match (&node.op, element) {
        (Op::Column(0), Element::Range(range, offset)) => {
            return Ok(Found::Value(Value::Integer(range.at(offset))));
        }
        (Op::Column(column), Element::Row(columns, row)) => {
            let lanes = columns.get(*column);
            if let Some(Column::Valueless(_)) = lanes {
                return Err(Trouble::Valueless(*column));
            }
            let value = lanes.and_then(|lanes| lanes.value(row));
            return value.map(Found::Value).ok_or(Trouble::Mistyped);
        }
        (Op::Text(text), _) => return Ok(Found::Value(Value::Text(text))),
        _ => {}
    }
    let mut args = Vec::with_capacity(node.args.len());
    for id in &node.args {
        match &known[*id] {
            Some(value) => args.push(value.clone()),
            None => return Ok(Found::First(*id)),
        }
    }
    apply(&node.op, &args).map(Found::Value)
}
