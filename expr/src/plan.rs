//! How one chunk is computed: which operations are needed, in which width, in which buffers.
//!
//! A plan holds for every chunk whose columns lie within the bounds it was made for. It reads no lane.

use tally_reduce::Integer;

use crate::divide::{Long, Short};
use crate::exact::EXACT_MAX;
use crate::graph::{Id, Node, Op};
use crate::interval::{self, Interval};
use crate::value::Kind;

/// How the lanes of a column arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// 64-bit integers, read in place.
    I64,
    /// Integers that fit in 64 bits, to be widened.
    Narrow,
    /// Unsigned 64-bit integers: widened to 64 or 128 bits, as their bounds demand.
    U64,
    /// 128-bit integers, read in place.
    I128,
    /// The numbers of a range: made, in 64 or 128 bits.
    Range,
    /// Big integers: no plan.
    Big,
    F64,
    F32,
    Bool,
    Text,
}

/// What a plan assumes of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) shape: Shape,
    /// Of an integer column; nothing if beyond 128 bits.
    pub(crate) bounds: Option<Interval>,
}

/// Where the lanes of a value are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    Int(usize),
    Wide(usize),
    Float(usize),
    Bool(usize),
    IntConst(i64),
    WideConst(i128),
    FloatConst(f64),
    BoolConst(bool),
    IntColumn(usize),
    WideColumn(usize),
    FloatColumn(usize),
    BoolColumn(usize),
    TextColumn(usize),
    /// The text is in this node.
    TextConst(Id),
    None,
}

/// The loop that is run for an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kernel {
    /// Lanes of a column into a buffer.
    Load(usize),
    /// In 64 bits, without a check.
    Int,
    /// Of two factors below 2^32.
    MulUnsigned32,
    /// Of two factors of 32 bits with sign.
    MulSigned32,
    /// `(x + bias) % divisor` where that is below 2^31.
    ModShort(Short, i64),
    ModLong(Long, i64),
    /// `(x + bias) // divisor - back`.
    DivShort(Short, i64, i64),
    DivLong(Long, i64, i64),
    /// In 128 bits, without a check.
    Wide,
    /// Every integer among the arguments is a float too.
    ExactFloat,
    /// As the operation says.
    Plain,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) node: Id,
    pub(crate) kernel: Kernel,
    pub(crate) to: Place,
    pub(crate) args: [Place; 3],
    /// Where a failure counts.
    pub(crate) guard: Place,
}

/// How wide the widest integers of a plan are. The smaller the faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Width {
    Narrow,
    Wide,
    /// Lanes do not do; element by element.
    Big,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) facts: Vec<Option<Fact>>,
    pub(crate) width: Width,
    pub(crate) steps: Vec<Step>,
    /// So many steps compute the filter.
    pub(crate) filter_steps: usize,
    pub(crate) filter: Place,
    pub(crate) root: Place,
    /// Of the answer, if it is an integer of 64 bits.
    pub(crate) bounds: Option<(i64, i64)>,
    /// Buffers of each kind: 64-bit integers, 128-bit integers, floats, conditions.
    pub(crate) buffers: [usize; 4],
}

impl Plan {
    /// Whether it holds for a chunk of these facts.
    pub(crate) fn holds(&self, facts: &[Option<Fact>]) -> bool {
        self.facts.iter().zip(facts).all(|pair| match pair {
            (Some(mine), Some(fact)) => {
                mine.shape == fact.shape
                    && match (mine.bounds, fact.bounds) {
                        (Some(mine), Some(bounds)) => bounds.within(mine),
                        (mine, bounds) => mine == bounds,
                    }
            }
            (mine, fact) => mine.is_none() && fact.is_none(),
        })
    }
}

/// Costs of operations, in lanes of an addition; only their order matters.
mod cost {
    pub(super) const PLAIN: u32 = 1;
    pub(super) const MUL_32: u32 = 1;
    pub(super) const MUL: u32 = 3;
    pub(super) const MOD_SHORT: u32 = 2;
    pub(super) const MOD_LONG: u32 = 10;
    pub(super) const DIVIDE: u32 = 40;
    pub(super) const WIDE: u32 = 50;
    pub(super) const BIG: u32 = 100_000;
}

pub(crate) fn plan(nodes: &[Node], root: Id, filter: Option<Id>, facts: &[Option<Fact>]) -> Plan {
    let mut planner = Planner::new(nodes, facts);
    planner.survey();
    planner.schedule(root, filter)
}

/// What is known of one operation.
#[derive(Clone, Copy, Debug)]
struct Known {
    bounds: Option<Interval>,
    /// The node that stands for this one: itself, or the other way.
    chosen: Id,
    cost: u32,
}

struct Planner<'a> {
    nodes: &'a [Node],
    facts: &'a [Option<Fact>],
    known: Vec<Known>,
}

fn fits(bounds: Option<Interval>) -> bool {
    bounds.is_some_and(Interval::fits_i64)
}

impl<'a> Planner<'a> {
    fn new(nodes: &'a [Node], facts: &'a [Option<Fact>]) -> Self {
        Self { nodes, facts, known: Vec::with_capacity(nodes.len()) }
    }

    /// Bounds, costs and choices, arguments first.
    fn survey(&mut self) {
        for (id, node) in self.nodes.iter().enumerate() {
            let bounds = if node.kind == Kind::Integer { self.bounds(node) } else { None };
            let mut known = Known { bounds, chosen: id, cost: 0 };
            let own = self.own_cost(node, bounds);
            known.cost = own;
            for (at, arg) in node.args.iter().enumerate() {
                if !node.args[..at].contains(arg) {
                    known.cost = known.cost.saturating_add(self.known[*arg].cost);
                }
            }
            if let Some(other) = node.other_way
                && self.known[other].cost < known.cost
            {
                known = Known { chosen: self.known[other].chosen, ..self.known[other] };
            }
            self.known.push(known);
        }
    }

    fn bounds(&self, node: &Node) -> Option<Interval> {
        let of = |at: usize| node.args.get(at).and_then(|id| self.known[*id].bounds);
        match &node.op {
            Op::Column(column) => self.facts.get(*column).copied().flatten()?.bounds,
            Op::Integer(value) => i128::try_from(value).ok().map(Interval::point),
            Op::FromBool => Some(Interval::new(0, 1)),
            Op::Whole(_) => Some(interval::WHOLE),
            Op::Select => Some(of(1)?.hull(of(2)?)),
            Op::Neg | Op::Invert | Op::Abs => interval::apply(&node.op, of(0)?, of(0)?, true),
            // The remainder by a known divisor is small, however large the dividend.
            Op::Mod if of(0).is_none() => {
                let all = Interval::new(i128::MIN, i128::MAX);
                interval::apply(&node.op, all, of(1)?, false)
            }
            op => interval::apply(op, of(0)?, of(1)?, node.args[0] == node.args[1]),
        }
    }

    /// Whether an operation on integers is done in 64 bits.
    fn is_int(&self, node: &Node, bounds: Option<Interval>) -> bool {
        let answer = node.kind != Kind::Integer || fits(bounds);
        answer && self.integers(node).all(|id| fits(self.known[id].bounds))
    }

    fn integers(&self, node: &'a Node) -> impl Iterator<Item = Id> {
        node.args.iter().copied().filter(|id| self.nodes[*id].kind == Kind::Integer)
    }

    fn own_cost(&self, node: &Node, bounds: Option<Interval>) -> u32 {
        let lost = |id: Id| self.known[id].bounds.is_none();
        if node.kind == Kind::Integer && bounds.is_none() || self.integers(node).any(lost) {
            return cost::BIG;
        }
        if !self.is_int(node, bounds) {
            return cost::WIDE;
        }
        match node.op {
            Op::Mul => match self.kernel(node, bounds) {
                Kernel::MulUnsigned32 | Kernel::MulSigned32 => cost::MUL_32,
                _ => cost::MUL,
            },
            Op::Mod | Op::FloorDiv => match self.kernel(node, bounds) {
                Kernel::ModShort(..) | Kernel::DivShort(..) => cost::MOD_SHORT,
                Kernel::ModLong(..) | Kernel::DivLong(..) => cost::MOD_LONG,
                _ => cost::DIVIDE,
            },
            _ => cost::PLAIN,
        }
    }

    fn kernel(&self, node: &Node, bounds: Option<Interval>) -> Kernel {
        let of = |at: usize| node.args.get(at).and_then(|id| self.known[*id].bounds);
        let exact = Interval::new((-EXACT_MAX).into(), EXACT_MAX.into());
        let exact = |bounds: Option<Interval>| bounds.is_some_and(|bounds| bounds.within(exact));
        match &node.op {
            Op::Column(column) => Kernel::Load(*column),
            Op::Quotient if exact(of(0)) && exact(of(1)) => Kernel::ExactFloat,
            Op::MCompare(_) if exact(of(0)) => Kernel::ExactFloat,
            _ if self.integers(node).next().is_none() && node.kind != Kind::Integer => Kernel::Plain,
            _ if !self.is_int(node, bounds) => Kernel::Wide,
            Op::Mul => {
                let both = |low: i128, high: i128| {
                    [of(0), of(1)].iter().all(|of| of.is_some_and(|of| of.within(Interval::new(low, high))))
                };
                if both(0, u32::MAX.into()) {
                    Kernel::MulUnsigned32
                } else if both(i32::MIN.into(), i32::MAX.into()) {
                    Kernel::MulSigned32
                } else {
                    Kernel::Int
                }
            }
            Op::Mod | Op::FloorDiv => by_constant(&node.op, of(0), of(1)).unwrap_or(Kernel::Int),
            _ => Kernel::Int,
        }
    }

    /// Whether an operation that can fail can fail within these bounds.
    fn may_fail(&self, node: &Node) -> bool {
        let second = node.args.get(1).and_then(|id| self.known[*id].bounds);
        match node.op {
            Op::FloorDiv | Op::Mod | Op::Quotient => second.is_none_or(|second| second.contains(0)),
            Op::Pow | Op::Shl | Op::Shr => second.is_none_or(|second| second.low < 0),
            _ => true,
        }
    }

    fn schedule(&self, root: Id, filter: Option<Id>) -> Plan {
        let mut order: Vec<Id> = Vec::new();
        let mut seen = vec![false; self.nodes.len()];
        let mut width = Width::Narrow;
        let mut filter_nodes = 0;
        for goal in filter.into_iter().chain([root]) {
            let from = order.len();
            let mut open = vec![self.known[goal].chosen];
            while let Some(id) = open.pop() {
                if std::mem::replace(&mut seen[id], true) {
                    continue;
                }
                order.push(id);
                open.extend(self.arguments(id));
            }
            order[from..].sort_unstable();
            if Some(goal) == filter {
                filter_nodes = order.len();
            }
        }
        for id in &order {
            let node = &self.nodes[*id];
            let big_column = |fact: &Fact| fact.shape == Shape::Big;
            if node.kind == Kind::Integer && self.known[*id].bounds.is_none() {
                width = Width::Big;
            } else if node.kind == Kind::Integer && !fits(self.known[*id].bounds) {
                width = width.max(Width::Wide);
            }
            if let Op::Column(column) = node.op
                && self.facts.get(column).copied().flatten().is_none_or(|fact| big_column(&fact))
            {
                width = Width::Big;
            }
        }
        let facts = self.facts.to_vec();
        let bounds = self.known[root].bounds.filter(|_| self.nodes[root].kind == Kind::Integer);
        let mut plan = Plan {
            facts,
            width,
            steps: Vec::new(),
            filter_steps: 0,
            filter: Place::BoolConst(true),
            root: Place::None,
            bounds: bounds
                .and_then(|bounds| Some((bounds.low.try_into().ok()?, bounds.high.try_into().ok()?))),
            buffers: [0; 4],
        };
        if width != Width::Big {
            let goals: Vec<Id> =
                filter.into_iter().chain([root]).map(|goal| self.known[goal].chosen).collect();
            Allocation::new(self, &order, &goals).run(&mut plan, filter_nodes, &goals);
        }
        plan
    }

    /// What must be computed before a node: its arguments as chosen, and its guard if it needs one.
    fn arguments(&self, id: Id) -> impl Iterator<Item = Id> {
        let node = &self.nodes[id];
        let guard = node.guard.filter(|_| self.may_fail(node));
        node.args.iter().copied().chain(guard).map(|id| self.known[id].chosen)
    }
}

/// Remainder and quotient by a known positive divisor.
fn by_constant(op: &Op, a: Option<Interval>, b: Option<Interval>) -> Option<Kernel> {
    let (a, b) = (a?, b?);
    if b.low != b.high || b.low < 2 {
        return None;
    }
    let divisor = u64::try_from(b.low).ok()?;
    // A multiple of the divisor that makes every dividend positive, and small if they lie close together.
    let multiple = -a.low.div_euclid(b.low);
    let bias = multiple.checked_mul(b.low)?;
    let candidates = [(0, 0), (multiple, bias)];
    let fitting = |limit: i128| {
        candidates
            .iter()
            .find(|(_, bias)| a.low + bias >= 0 && a.high + bias < limit)
            .and_then(|(multiple, bias)| Some((i64::try_from(*multiple).ok()?, i64::try_from(*bias).ok()?)))
    };
    let is_mod = *op == Op::Mod;
    if let (Some(short), Some((back, bias))) = (Short::new(divisor), fitting(1 << 31)) {
        return Some(if is_mod {
            Kernel::ModShort(short, bias)
        } else {
            Kernel::DivShort(short, bias, back)
        });
    }
    let (long, (back, bias)) = (Long::new(divisor)?, fitting(1 << 63)?);
    Some(if is_mod { Kernel::ModLong(long, bias) } else { Kernel::DivLong(long, bias, back) })
}

/// Gives each answer a buffer, and takes it back after its last use.
struct Allocation<'a, 'b> {
    planner: &'b Planner<'a>,
    order: &'b [Id],
    places: Vec<Place>,
    /// The last position in the order at which a node is used.
    last_use: Vec<usize>,
    free: [Vec<usize>; 4],
}

impl<'a, 'b> Allocation<'a, 'b> {
    fn new(planner: &'b Planner<'a>, order: &'b [Id], goals: &[Id]) -> Self {
        let mut last_use = vec![0; planner.nodes.len()];
        for (position, id) in order.iter().enumerate() {
            for argument in planner.arguments(*id) {
                last_use[argument] = position;
            }
        }
        for goal in goals {
            last_use[*goal] = usize::MAX;
        }
        let places = vec![Place::None; planner.nodes.len()];
        Self { planner, order, places, last_use, free: Default::default() }
    }

    fn run(mut self, plan: &mut Plan, filter_nodes: usize, goals: &[Id]) {
        for (position, id) in self.order.iter().copied().enumerate() {
            if position == filter_nodes {
                plan.filter_steps = plan.steps.len();
            }
            if let Some(place) = self.in_place(id) {
                self.places[id] = place;
                continue;
            }
            let node = &self.planner.nodes[id];
            let to = self.allot(node.kind, self.planner.known[id].bounds, &mut plan.buffers);
            self.places[id] = to;
            let mut args = [Place::None; 3];
            for (place, argument) in args.iter_mut().zip(&node.args) {
                *place = self.places[self.planner.known[*argument].chosen];
            }
            let guard = match node.guard {
                _ if !self.planner.may_fail(node) => Place::None,
                Some(guard) => self.places[self.planner.known[guard].chosen],
                None => Place::BoolConst(true),
            };
            let kernel = self.planner.kernel(node, self.planner.known[id].bounds);
            plan.steps.push(Step { node: id, kernel, to, args, guard });
            let mut done: Vec<Id> = self.planner.arguments(id).collect();
            done.sort_unstable();
            done.dedup();
            for argument in done {
                if self.last_use[argument] == position {
                    self.release(self.places[argument]);
                }
            }
        }
        if self.order.len() == filter_nodes {
            plan.filter_steps = plan.steps.len();
        }
        if let [filter, _] = goals {
            plan.filter = self.places[*filter];
        }
        plan.root = goals.last().map_or(Place::None, |root| self.places[*root]);
    }

    /// Constants and columns that need no buffer.
    fn in_place(&self, id: Id) -> Option<Place> {
        let int = |value: &Integer| {
            let wide = i128::try_from(value).ok()?;
            Some(i64::try_from(wide).map_or(Place::WideConst(wide), Place::IntConst))
        };
        match &self.planner.nodes[id].op {
            Op::Integer(value) => int(value),
            Op::Float(bits) => Some(Place::FloatConst(f64::from_bits(*bits))),
            Op::Bool(value) => Some(Place::BoolConst(*value)),
            Op::Text(_) => Some(Place::TextConst(id)),
            Op::Column(column) => match self.planner.facts.get(*column).copied().flatten()?.shape {
                Shape::I64 => Some(Place::IntColumn(*column)),
                // With small bounds its readers expect 64 bits.
                Shape::I128 if !fits(self.planner.known[id].bounds) => Some(Place::WideColumn(*column)),
                Shape::F64 => Some(Place::FloatColumn(*column)),
                Shape::Bool => Some(Place::BoolColumn(*column)),
                Shape::Text => Some(Place::TextColumn(*column)),
                _ => None,
            },
            _ => None,
        }
    }

    fn allot(&mut self, kind: Kind, bounds: Option<Interval>, buffers: &mut [usize; 4]) -> Place {
        let bank = match kind {
            Kind::Integer if fits(bounds) => 0,
            Kind::Integer => 1,
            Kind::Float => 2,
            Kind::Bool | Kind::Text => 3,
        };
        let buffer = self.free[bank].pop().unwrap_or_else(|| {
            buffers[bank] += 1;
            buffers[bank] - 1
        });
        match bank {
            0 => Place::Int(buffer),
            1 => Place::Wide(buffer),
            2 => Place::Float(buffer),
            _ => Place::Bool(buffer),
        }
    }

    fn release(&mut self, place: Place) {
        match place {
            Place::Int(buffer) => self.free[0].push(buffer),
            Place::Wide(buffer) => self.free[1].push(buffer),
            Place::Float(buffer) => self.free[2].push(buffer),
            Place::Bool(buffer) => self.free[3].push(buffer),
            _ => {}
        }
    }
}
