//! Tree to graph: names become columns, kinds are checked, constants folded, equal operations shared.

use std::collections::HashMap;

use tally_reduce::Integer;

use crate::ast::{Ast, Binary, Comparison, Node as Tree_, Tree, Unary};
use crate::fault::{Fault, Span};
use crate::graph::{Id, Node, Op, apply};
use crate::limits::NODES_MAX;
use crate::parse::bits;
use crate::schema::Schema;
use crate::token;
use crate::value::{Kind, Trouble, Value};
use crate::words::{Function, nearest};

/// Powers with an exponent up to here become multiplications.
const UNROLLED_POWER_MAX: usize = 64;
/// Shifts to the left by a constant up to here become multiplications.
const SHIFT_AS_PRODUCT_MAX: usize = 120;
/// Divisors up to here have their remainders computed from the remainders of the operands, if that pays.
const SMALL_MODULUS_MAX: u32 = 1 << 31;

pub(crate) struct Lowering<'a> {
    text: &'a str,
    schema: &'a Schema,
    nodes: Vec<Node>,
    known: HashMap<(Op, Vec<Id>, Kind, Option<Id>), Id>,
    guard: Option<Id>,
}

/// Adds a tree to the nodes of a program; `guard` is the condition under which its answer is wanted.
pub(crate) fn lower(
    ast: &Ast,
    schema: &Schema,
    nodes: &mut Vec<Node>,
    guard: Option<Id>,
) -> Result<Id, Fault> {
    let taken = std::mem::take(nodes);
    let mut known = HashMap::new();
    for (id, node) in taken.iter().enumerate() {
        known.insert((node.op.clone(), node.args.clone(), node.kind, node.guard), id);
    }
    let mut lowering = Lowering { text: &ast.text, schema, nodes: taken, known, guard };
    let root = lowering.tree(&ast.root)?;
    *nodes = lowering.nodes;
    Ok(root)
}

impl Lowering<'_> {
    fn kind(&self, id: Id) -> Kind {
        self.nodes[id].kind
    }

    fn constant(&self, id: Id) -> Option<Value<'static>> {
        Some(match &self.nodes[id].op {
            Op::Integer(value) => Value::Integer(value.clone()),
            Op::Float(bits) => Value::Float(f64::from_bits(*bits)),
            Op::Bool(value) => Value::Bool(*value),
            _ => return None,
        })
    }

    fn constant_integer(&self, id: Id) -> Option<&Integer> {
        if let Op::Integer(value) = &self.nodes[id].op { Some(value) } else { None }
    }

    /// A node as it is, or the equal one that is already there.
    fn add(&mut self, op: Op, args: Vec<Id>, kind: Kind, span: Span) -> Result<Id, Fault> {
        let guard = if self.may_fail(&op, &args) { self.guard } else { None };
        let other_way = None;
        let key = (op, args, kind, guard);
        if let Some(id) = self.known.get(&key) {
            return Ok(*id);
        }
        if self.nodes.len() >= NODES_MAX {
            return Err(Fault::new(span, format!("the expression needs more than {NODES_MAX} operations")));
        }
        let id = self.nodes.len();
        self.known.insert(key.clone(), id);
        let (op, args, kind, guard) = key;
        self.nodes.push(Node { op, args, kind, guard, span, other_way });
        Ok(id)
    }

    fn leaf(&mut self, value: &Value<'_>, span: Span) -> Result<Id, Fault> {
        match value {
            Value::Integer(value) => self.add(Op::Integer(value.clone()), Vec::new(), Kind::Integer, span),
            Value::Float(value) => self.add(Op::Float(value.to_bits()), Vec::new(), Kind::Float, span),
            Value::Bool(value) => self.add(Op::Bool(*value), Vec::new(), Kind::Bool, span),
            Value::Text(value) => self.add(Op::Text((*value).into()), Vec::new(), Kind::Text, span),
        }
    }

    /// Whether there are values of the arguments for which the operation has no answer, short of too large integers.
    fn may_fail(&self, op: &Op, args: &[Id]) -> bool {
        let second = args.get(1).and_then(|id| self.constant(*id));
        match op {
            Op::FloorDiv | Op::Mod | Op::Quotient => {
                !matches!(&second, Some(Value::Integer(value)) if *value != Integer::ZERO)
                    || *op == Op::Quotient
            }
            Op::FDiv | Op::FFloorDiv | Op::FMod => {
                !matches!(second, Some(Value::Float(value)) if value != 0.0)
            }
            Op::Pow | Op::Shl | Op::Shr => {
                !matches!(&second, Some(Value::Integer(value)) if *value >= Integer::ZERO)
            }
            Op::FPow | Op::FCall(_) | Op::Whole(_) => true,
            _ => false,
        }
    }

    /// An operation: folded if its arguments are constants, in its simplest form otherwise.
    fn op(&mut self, op: Op, args: &[Id], kind: Kind, span: Span) -> Result<Id, Fault> {
        let constants: Option<Vec<_>> = args.iter().map(|id| self.constant(*id)).collect();
        if let Some(constants) = constants {
            match apply(&op, &constants) {
                Ok(value) => return self.leaf(&value, span),
                // Where it is not always wanted, it fails when it is.
                Err(_) if self.guard.is_some() => {}
                Err(trouble) => return Err(always_fails(trouble, span)),
            }
        }
        let mut args = args.to_vec();
        let commutes = matches!(
            op,
            Op::Add | Op::Mul | Op::BitAnd | Op::BitOr | Op::BitXor | Op::Min | Op::Max | Op::Xor
        );
        // Constants last; beyond that, any one order makes equal ones equal.
        let rank = |id: Id| (matches!(self.nodes[id].op, Op::Integer(_)), id);
        if commutes && rank(args[0]) > rank(args[1]) {
            args.swap(0, 1);
        }
        if let [a, b] = args[..]
            && let Some(constant) = self.constant_integer(b).cloned()
            && let Some(simpler) = self.with_constant(&op, a, &constant, span)?
        {
            return Ok(simpler);
        }
        self.add(op, args, kind, span)
    }

    /// `a op constant` in a cheaper form, if there is one.
    fn with_constant(&mut self, op: &Op, a: Id, constant: &Integer, span: Span) -> Result<Option<Id>, Fault> {
        let zero = *constant == Integer::ZERO;
        let one = *constant == Integer::ONE;
        // Of a positive power of two: its exponent.
        let two_to = (*constant > Integer::ZERO && (constant & (constant - Integer::ONE)) == Integer::ZERO)
            .then(|| bits(constant) - 1);
        Ok(match op {
            Op::Add | Op::Sub | Op::BitOr | Op::BitXor | Op::Shl | Op::Shr if zero => Some(a),
            Op::Mul | Op::FloorDiv | Op::Pow if one => Some(a),
            Op::FloorDiv => match two_to {
                Some(count) => {
                    let count = self.leaf(&Value::Integer(count.into()), span)?;
                    Some(self.op(Op::Shr, &[a, count], Kind::Integer, span)?)
                }
                None => None,
            },
            Op::Mod if two_to.is_some() => {
                let mask = self.leaf(&Value::Integer(constant - Integer::ONE), span)?;
                Some(self.op(Op::BitAnd, &[a, mask], Kind::Integer, span)?)
            }
            Op::Mod => match u32::try_from(constant) {
                Ok(modulus) if modulus <= SMALL_MODULUS_MAX => Some(self.small_modulo(a, constant, span)?),
                _ => None,
            },
            Op::Shl => match usize::try_from(constant) {
                Ok(count) if count <= SHIFT_AS_PRODUCT_MAX => {
                    let factor = self.leaf(&Value::Integer(Integer::ONE << count), span)?;
                    Some(self.op(Op::Mul, &[a, factor], Kind::Integer, span)?)
                }
                _ => None,
            },
            Op::Pow => match usize::try_from(constant) {
                Ok(exponent) if (2..=UNROLLED_POWER_MAX).contains(&exponent) => {
                    Some(self.unrolled_power(a, exponent, span)?)
                }
                _ => None,
            },
            _ => None,
        })
    }

    fn unrolled_power(&mut self, a: Id, exponent: usize, span: Span) -> Result<Id, Fault> {
        if exponent == 1 {
            return Ok(a);
        }
        let half = self.unrolled_power(a, exponent / 2, span)?;
        let square = self.op(Op::Mul, &[half, half], Kind::Integer, span)?;
        if exponent.is_multiple_of(2) {
            Ok(square)
        } else {
            self.op(Op::Mul, &[square, a], Kind::Integer, span)
        }
    }

    /// `a % modulus`, and beside it the way over the remainders of what `a` is made of: `(x*y) % m` is
    /// `((x%m) * (y%m)) % m`, which needs no large product.
    fn small_modulo(&mut self, a: Id, modulus: &Integer, span: Span) -> Result<Id, Fault> {
        let m = self.leaf(&Value::Integer(modulus.clone()), span)?;
        if let Some(id) = self.known.get(&(Op::Mod, vec![a, m], Kind::Integer, None)) {
            return Ok(*id);
        }
        let node = self.nodes[a].clone();
        // Half the room is kept for what was written.
        let room = self.nodes.len() < NODES_MAX / 2;
        let other_way = match node.op {
            Op::Add | Op::Sub | Op::Mul | Op::Neg if room => {
                let mut rests = Vec::new();
                for argument in node.args {
                    rests.push(self.op(Op::Mod, &[argument, m], Kind::Integer, span)?);
                }
                let inner = self.op(node.op, &rests, Kind::Integer, span)?;
                // Not over `small_modulo`, which would take this one apart again.
                Some(if self.constant_integer(inner).is_some() {
                    self.op(Op::Mod, &[inner, m], Kind::Integer, span)?
                } else {
                    self.add(Op::Mod, vec![inner, m], Kind::Integer, span)?
                })
            }
            _ => None,
        };
        let id = self.add(Op::Mod, vec![a, m], Kind::Integer, span)?;
        if self.nodes[id].other_way.is_none() && other_way != Some(id) {
            self.nodes[id].other_way = other_way;
        }
        Ok(id)
    }

    fn tree(&mut self, tree: &Tree_) -> Result<Id, Fault> {
        let span = tree.span;
        match &tree.tree {
            Tree::Integer(value) => self.leaf(&Value::Integer(value.clone()), span),
            Tree::Float(value) => self.leaf(&Value::Float(*value), span),
            Tree::Bool(value) => self.leaf(&Value::Bool(*value), span),
            Tree::Text(value) => self.leaf(&Value::Text(value.as_bytes()), span),
            Tree::Name(name) => self.name(name, span),
            Tree::Column(name) => match self.schema.find(name) {
                Some((column, kind)) => self.add(Op::Column(column), Vec::new(), kind, span),
                None => Err(self.unknown(name, span)),
            },
            Tree::Unary(operator, a) => self.unary(*operator, a, span),
            Tree::Binary(Binary::And, a, b) => self.lazy(Op::And, a, b, span),
            Tree::Binary(Binary::Or, a, b) => self.lazy(Op::Or, a, b, span),
            Tree::Binary(operator, a, b) => self.binary(*operator, a, b, span),
            Tree::Compare(first, rest) => self.chain(first, None, rest, span),
            Tree::In { needle, items, negated } => self.membership(needle, items, *negated, span),
            Tree::Call(Function::If, arguments) => self.select(arguments, span),
            Tree::Call(function, arguments) => self.call(*function, arguments, span),
        }
    }

    fn name(&mut self, name: &str, span: Span) -> Result<Id, Fault> {
        if let Some((column, kind)) = self.schema.find(name) {
            return self.add(Op::Column(column), Vec::new(), kind, span);
        }
        match name {
            "pi" => self.leaf(&Value::Float(std::f64::consts::PI), span),
            "inf" => self.leaf(&Value::Float(f64::INFINITY), span),
            "nan" => self.leaf(&Value::Float(f64::NAN), span),
            _ => Err(self.unknown(name, span)),
        }
    }

    fn unknown(&self, name: &str, span: Span) -> Fault {
        if self.schema.is_range() {
            let fault = Fault::new(span, format!("no name `{name}`"));
            return fault.hint("the element of a range is called `i`");
        }
        let fault = Fault::new(span, format!("no column `{name}`"));
        if let Some(meant) = nearest(name, self.schema.names()) {
            return fault.hint(format!("did you mean `{}`?", written(meant)));
        }
        if Function::named(name).is_some() {
            return fault.hint(format!("`{name}` is a function: write `{name}(...)`"));
        }
        const SHOWN: usize = 8;
        let mut names: Vec<_> = self.schema.names().take(SHOWN).map(written).collect();
        if self.schema.len() > SHOWN {
            names.push("...".to_owned());
        }
        if names.is_empty() { fault } else { fault.hint(format!("there are {}", names.join(", "))) }
    }

    fn source(&self, tree: &Tree_) -> String {
        const LONGEST: usize = 30;
        let text = self.text.get(tree.span.start..tree.span.end).unwrap_or("");
        if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
            "x".to_owned()
        } else {
            text.to_owned()
        }
    }

    /// An operand that must be a number; conditions count as 0 and 1.
    fn number(&mut self, tree: &Tree_, sign: &str) -> Result<Id, Fault> {
        let id = self.tree(tree)?;
        match self.kind(id) {
            Kind::Integer | Kind::Float => Ok(id),
            Kind::Bool => self.op(Op::FromBool, &[id], Kind::Integer, tree.span),
            Kind::Text => {
                let fault = Fault::new(tree.span, format!("`{sign}` takes numbers, and this is a text"));
                Err(Fault { hint: without_quotes(tree), ..fault })
            }
        }
    }

    fn integer(&mut self, tree: &Tree_, sign: &str) -> Result<Id, Fault> {
        let id = self.number(tree, sign)?;
        if self.kind(id) == Kind::Integer {
            return Ok(id);
        }
        let fault = Fault::new(tree.span, format!("`{sign}` takes integers, and this is a float"));
        Err(fault.hint(format!("write `int({})` if that is meant", self.source(tree))))
    }

    fn condition(&mut self, tree: &Tree_, sign: &str) -> Result<Id, Fault> {
        let id = self.tree(tree)?;
        let kind = self.kind(id);
        if kind == Kind::Bool {
            return Ok(id);
        }
        let fault = Fault::new(tree.span, format!("`{sign}` takes a condition, and this is {kind}"));
        let nothing = if kind == Kind::Text { "\"\"" } else { "0" };
        Err(fault.hint(format!("write `{} != {nothing}` if that is meant", self.source(tree))))
    }

    fn float(&mut self, id: Id, span: Span) -> Result<Id, Fault> {
        if self.kind(id) == Kind::Float { Ok(id) } else { self.op(Op::ToFloat, &[id], Kind::Float, span) }
    }

    fn unary(&mut self, operator: Unary, tree: &Tree_, span: Span) -> Result<Id, Fault> {
        match operator {
            Unary::Not => {
                let a = self.condition(tree, "not")?;
                self.op(Op::Not, &[a], Kind::Bool, span)
            }
            Unary::Invert => {
                let a = self.integer(tree, "~")?;
                self.op(Op::Invert, &[a], Kind::Integer, span)
            }
            Unary::Plus => self.number(tree, "+"),
            Unary::Minus => {
                let a = self.number(tree, "-")?;
                match self.kind(a) {
                    Kind::Integer => self.op(Op::Neg, &[a], Kind::Integer, span),
                    _ => self.op(Op::FNeg, &[a], Kind::Float, span),
                }
            }
        }
    }

    fn binary(&mut self, operator: Binary, left: &Tree_, right: &Tree_, span: Span) -> Result<Id, Fault> {
        let sign = operator.sign();
        if matches!(operator, Binary::BitAnd | Binary::BitOr | Binary::BitXor) {
            return self.bitwise(operator, left, right, span);
        }
        if matches!(operator, Binary::Shl | Binary::Shr) {
            let (a, b) = (self.integer(left, sign)?, self.integer(right, sign)?);
            let op = if operator == Binary::Shl { Op::Shl } else { Op::Shr };
            return self.op(op, &[a, b], Kind::Integer, span);
        }
        let (a, b) = (self.number(left, sign)?, self.number(right, sign)?);
        let integers = self.kind(a) == Kind::Integer && self.kind(b) == Kind::Integer;
        // A negative exponent that is known makes a float, as in Python.
        let negative = self.constant_integer(b).is_some_and(|exponent| *exponent < Integer::ZERO);
        if integers && !(operator == Binary::Pow && negative) {
            let op = match operator {
                Binary::Add => Op::Add,
                Binary::Sub => Op::Sub,
                Binary::Mul => Op::Mul,
                Binary::FloorDiv => Op::FloorDiv,
                Binary::Mod => Op::Mod,
                Binary::Pow => Op::Pow,
                _ => return self.op(Op::Quotient, &[a, b], Kind::Float, span),
            };
            return self.op(op, &[a, b], Kind::Integer, span);
        }
        let (a, b) = (self.float(a, left.span)?, self.float(b, right.span)?);
        let op = match operator {
            Binary::Add => Op::FAdd,
            Binary::Sub => Op::FSub,
            Binary::Mul => Op::FMul,
            Binary::FloorDiv => Op::FFloorDiv,
            Binary::Mod => Op::FMod,
            Binary::Pow => Op::FPow,
            _ => Op::FDiv,
        };
        self.op(op, &[a, b], Kind::Float, span)
    }

    /// Of two conditions, a condition; else of two integers.
    fn bitwise(&mut self, operator: Binary, left: &Tree_, right: &Tree_, span: Span) -> Result<Id, Fault> {
        let (a, b) = (self.tree(left)?, self.tree(right)?);
        if self.kind(a) == Kind::Bool && self.kind(b) == Kind::Bool {
            let op = match operator {
                Binary::BitAnd => Op::BothAnd,
                Binary::BitOr => Op::BothOr,
                _ => Op::Xor,
            };
            return self.op(op, &[a, b], Kind::Bool, span);
        }
        let (a, b) = (self.bits(a, left, operator.sign())?, self.bits(b, right, operator.sign())?);
        let op = match operator {
            Binary::BitAnd => Op::BitAnd,
            Binary::BitOr => Op::BitOr,
            _ => Op::BitXor,
        };
        self.op(op, &[a, b], Kind::Integer, span)
    }

    /// What was lowered, as an integer. It is not lowered again: in a chain of these each would double the work.
    fn bits(&mut self, id: Id, tree: &Tree_, sign: &str) -> Result<Id, Fault> {
        match self.kind(id) {
            Kind::Integer => Ok(id),
            Kind::Bool => self.op(Op::FromBool, &[id], Kind::Integer, tree.span),
            Kind::Float | Kind::Text => self.integer(tree, sign),
        }
    }

    /// Runs `inside` where a condition holds (or does not) on top of the present guard.
    fn guarded<T>(
        &mut self,
        condition: Id,
        holds: bool,
        inside: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let span = self.nodes[condition].span;
        let condition = if holds { condition } else { self.op(Op::Not, &[condition], Kind::Bool, span)? };
        let outer = self.guard;
        let guard = match outer {
            Some(outer) => self.op(Op::And, &[outer, condition], Kind::Bool, span)?,
            None => condition,
        };
        self.guard = Some(guard);
        let result = inside(self);
        self.guard = outer;
        result
    }

    fn lazy(&mut self, op: Op, left: &Tree_, right: &Tree_, span: Span) -> Result<Id, Fault> {
        let sign = if op == Op::And { "and" } else { "or" };
        let a = self.condition(left, sign)?;
        let b = self.guarded(a, op == Op::And, |this| this.condition(right, sign))?;
        self.both(op, a, b, span)
    }

    /// `a and b` or `a or b`, where `b` was lowered under the guard that belongs to it.
    fn both(&mut self, op: Op, a: Id, b: Id, span: Span) -> Result<Id, Fault> {
        match self.constant(a) {
            Some(Value::Bool(value)) if value == (op == Op::And) => Ok(b),
            Some(_) => Ok(a),
            None => self.add(op, vec![a, b], Kind::Bool, span),
        }
    }

    /// A chain; `known` is the first operand, where the comparison before has it already.
    fn chain(
        &mut self,
        first: &Tree_,
        known: Option<Id>,
        rest: &[(Comparison, Tree_)],
        span: Span,
    ) -> Result<Id, Fault> {
        let Some(((comparison, right), more)) = rest.split_first() else { return self.tree(first) };
        let a = known.map_or_else(|| self.comparand(first, right), Ok)?;
        let b = self.comparand(right, first)?;
        let here = first.span.to(right.span);
        let holds = self.compare(*comparison, (a, first), (b, right), here)?;
        if more.is_empty() {
            return Ok(holds);
        }
        // A column may be a text beside one neighbour and a number beside the other.
        let known = (!right.is_name()).then_some(b);
        let others = self.guarded(holds, true, |this| this.chain(right, known, more, span))?;
        self.both(Op::And, holds, others, span)
    }

    /// An operand of a comparison: of a column that is compared with a written text, its text, whatever else it is.
    fn comparand(&mut self, tree: &Tree_, other: &Tree_) -> Result<Id, Fault> {
        if let (Tree::Name(name) | Tree::Column(name), Tree::Text(_)) = (&tree.tree, &other.tree)
            && let Some(column) = self.schema.find_text(name)
        {
            return self.add(Op::Column(column), Vec::new(), Kind::Text, tree.span);
        }
        self.tree(tree)
    }

    fn compare(
        &mut self,
        c: Comparison,
        left: (Id, &Tree_),
        right: (Id, &Tree_),
        span: Span,
    ) -> Result<Id, Fault> {
        let (mut a, mut b) = (left.0, right.0);
        let texts = (self.kind(a) == Kind::Text, self.kind(b) == Kind::Text);
        match texts {
            (true, true) => return self.add(Op::TCompare(c), vec![a, b], Kind::Bool, span),
            (false, false) => {}
            (is_left, _) => {
                let (text, other) = if is_left { (left.1, right.1) } else { (right.1, left.1) };
                let fault = Fault::new(span, "a text cannot be compared with a number");
                return Err(match (&text.tree, &other.tree) {
                    (Tree::Text(_), _) => fault.hint(format!("{} is no text", self.source(other))),
                    (_, Tree::Integer(_) | Tree::Float(_)) => fault.hint(format!(
                        "{} holds texts: write \"{}\" in quotes",
                        self.source(text),
                        self.source(other)
                    )),
                    _ => fault.hint(format!("{} holds texts", self.source(text))),
                });
            }
        }
        if self.kind(a) == Kind::Bool {
            a = self.op(Op::FromBool, &[a], Kind::Integer, left.1.span)?;
        }
        if self.kind(b) == Kind::Bool {
            b = self.op(Op::FromBool, &[b], Kind::Integer, right.1.span)?;
        }
        match (self.kind(a), self.kind(b)) {
            (Kind::Integer, Kind::Integer) => self.op(Op::Compare(c), &[a, b], Kind::Bool, span),
            (Kind::Integer, _) => self.op(Op::MCompare(c), &[a, b], Kind::Bool, span),
            (_, Kind::Integer) => self.op(Op::MCompare(mirrored(c)), &[b, a], Kind::Bool, span),
            _ => self.op(Op::FCompare(c), &[a, b], Kind::Bool, span),
        }
    }

    fn membership(
        &mut self,
        needle: &Tree_,
        items: &[Tree_],
        negated: bool,
        span: Span,
    ) -> Result<Id, Fault> {
        let texts: Option<Vec<&str>> = items
            .iter()
            .map(|item| if let Tree::Text(text) = &item.tree { Some(text.as_str()) } else { None })
            .collect();
        let a = match items.first() {
            Some(first) if texts.is_some() => self.comparand(needle, first)?,
            _ => self.tree(needle)?,
        };
        let found = if let (Kind::Text, Some(texts)) = (self.kind(a), texts) {
            let mut texts: Vec<Box<[u8]>> = texts.into_iter().map(|text| text.as_bytes().into()).collect();
            texts.sort_unstable();
            texts.dedup();
            self.add(Op::TextIn(texts.into()), vec![a], Kind::Bool, span)?
        } else {
            let mut equal = Vec::new();
            for item in items {
                let a = if needle.is_name() { self.comparand(needle, item)? } else { a };
                let b = self.comparand(item, needle)?;
                equal.push(self.compare(Comparison::Eq, (a, needle), (b, item), item.span)?);
            }
            self.balanced(&Op::BothOr, equal, Kind::Bool, span)?
        };
        if negated { self.op(Op::Not, &[found], Kind::Bool, span) } else { Ok(found) }
    }

    /// One operation over many, by halves, so that the graph stays low; the order of the operands is kept.
    fn balanced(&mut self, op: &Op, mut ids: Vec<Id>, kind: Kind, span: Span) -> Result<Id, Fault> {
        while ids.len() > 1 {
            let mut next = Vec::with_capacity(ids.len().div_ceil(2));
            for pair in ids.chunks(2) {
                next.push(match *pair {
                    [a, b] => self.op(op.clone(), &[a, b], kind, span)?,
                    _ => pair[0],
                });
            }
            ids = next;
        }
        ids.first().copied().ok_or_else(|| Fault::new(span, "nothing is in the list"))
    }

    fn select(&mut self, arguments: &[Tree_], span: Span) -> Result<Id, Fault> {
        let [condition, yes, no] = arguments else { return Err(Fault::new(span, "`if` takes 3 arguments")) };
        let c = self.condition(condition, "if")?;
        let known = self.constant(c);
        let mut a = self.guarded(c, true, |this| this.tree(yes))?;
        let mut b = self.guarded(c, false, |this| this.tree(no))?;
        let kinds = (self.kind(a), self.kind(b));
        for (kind, tree) in [(kinds.0, yes), (kinds.1, no)] {
            if kind == Kind::Text {
                let fault = Fault::new(tree.span, "`if` gives numbers or conditions, and this is a text");
                return Err(fault.hint("compare the text inside of `if`"));
            }
        }
        let kind = match kinds {
            (Kind::Bool, Kind::Bool) => Kind::Bool,
            (Kind::Float, _) | (_, Kind::Float) => Kind::Float,
            _ => Kind::Integer,
        };
        for (id, tree, holds) in [(&mut a, yes, true), (&mut b, no, false)] {
            if self.kind(*id) == Kind::Bool && kind != Kind::Bool {
                *id = self.op(Op::FromBool, &[*id], Kind::Integer, tree.span)?;
            }
            if kind == Kind::Float {
                // Where the other one is taken, it does not matter whether this one has a float.
                *id = self.guarded(c, holds, |this| this.float(*id, tree.span))?;
            }
        }
        match known {
            Some(Value::Bool(true)) => Ok(a),
            Some(_) => Ok(b),
            None => self.add(Op::Select, vec![c, a, b], kind, span),
        }
    }

    fn call(&mut self, function: Function, arguments: &[Tree_], span: Span) -> Result<Id, Fault> {
        let mut ids = Vec::new();
        for argument in arguments {
            ids.push(self.number(argument, function.name())?);
        }
        let a = ids[0];
        let integer = ids.iter().all(|id| self.kind(*id) == Kind::Integer);
        match function {
            Function::Min | Function::Max => {
                if integer {
                    let op = if function == Function::Min { Op::Min } else { Op::Max };
                    return self.balanced(&op, ids, Kind::Integer, span);
                }
                let mut floats = Vec::new();
                for (id, argument) in ids.into_iter().zip(arguments) {
                    floats.push(self.float(id, argument.span)?);
                }
                let op = if function == Function::Min { Op::FMin } else { Op::FMax };
                self.balanced(&op, floats, Kind::Float, span)
            }
            Function::Abs if integer => self.op(Op::Abs, &[a], Kind::Integer, span),
            Function::Abs => self.op(Op::FAbs, &[a], Kind::Float, span),
            Function::Int | Function::Floor | Function::Ceil | Function::Round if integer => Ok(a),
            Function::Int | Function::Floor | Function::Ceil | Function::Round => {
                self.op(Op::Whole(function), &[a], Kind::Integer, span)
            }
            Function::Float => self.float(a, span),
            _ => {
                let a = self.float(a, arguments[0].span)?;
                self.op(Op::FCall(function), &[a], Kind::Float, span)
            }
        }
    }
}

/// Of an expression that is a text.
pub(crate) fn text_as_answer(of: &Ast) -> Fault {
    let fault = Fault::new(of.root.span, "the answer must be a number or a condition, and this is a text");
    let hint = without_quotes(&of.root);
    fault.hint(hint.unwrap_or_else(|| "compare it, for example `x == \"north\"`".to_owned()))
}

/// What is said of a text in quotes where a number has to be: it may be the name of a column.
pub(crate) fn without_quotes(tree: &Tree_) -> Option<String> {
    const LONGEST: usize = 30;
    let Tree::Text(text) = &tree.tree else { return None };
    let shown = text.chars().count() <= LONGEST && !text.is_empty();
    shown.then(|| format!("a column stands without quotes: write `{}`", written(text)))
}

/// A name as it is written in an expression.
fn written(name: &str) -> String {
    let plain = name.starts_with(token::begins_name) && name.chars().all(|c| c == '_' || c.is_alphanumeric());
    if plain { name.to_owned() } else { format!("col({name:?})") }
}

fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Lt => Comparison::Gt,
        Comparison::Le => Comparison::Ge,
        Comparison::Gt => Comparison::Lt,
        Comparison::Ge => Comparison::Le,
        same => same,
    }
}

fn always_fails(trouble: Trouble, span: Span) -> Fault {
    let fault = Fault::new(span, trouble.message());
    match trouble {
        Trouble::NegativeExponent => fault.hint("write `float(x) ** y` for a float"),
        _ => fault,
    }
}
