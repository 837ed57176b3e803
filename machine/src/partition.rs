//! The pieces of one job: how its source is cut, which pieces wait, who holds which, what has been accepted.
//!
//! | state                               | leased           | accepted | given back | killed its worker too often |
//! |-------------------------------------|------------------|----------|------------|-----------------------------|
//! | uncut                               | cut, then Leased |          |            |                             |
//! | Queued                              | Leased           |          |            | two Queued halves           |
//! | Leased { worker, attempt, until }   |                  | Done     | Queued     |                             |
//! | Done                                |                  |          |            |                             |
//!
//! Where a partition has no answer, those after it are left out (`leave_out_from`) until those before it are done, so that
//! the first one that has none is told, however the work was shared. What is left out is live or uncut all the same.
//!
//! Done partitions are not kept: their positions are in the coverage. The law: at any time each position of the source
//! is in exactly one place: uncut, in a live partition, or in the coverage. What is uncut is one range in a new job; in
//! one that was restored it is whatever lies between the covered ranges.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::{Attempt, PartitionId, WorkerId};

use crate::coverage::Coverage;
use crate::moment::Moment;

/// Where a live partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartitionState {
    /// Waits for a worker.
    Queued,
    /// One worker has the right to it.
    Leased {
        /// Who.
        worker: WorkerId,
        /// Which try.
        attempt: Attempt,
        /// How long the worker may be silent; counts for the first lease a worker holds only.
        until: Moment,
    },
}

/// A piece that is not done yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Partition {
    pub(crate) position: u64,
    pub(crate) count: u64,
    /// Workers that died while they ran it.
    pub(crate) deaths: u32,
    /// Attempts given so far; an attempt number is never used twice.
    attempts: u32,
    /// Half of a piece that killed too often: one more death is enough.
    suspect: bool,
    pub(crate) state: PartitionState,
}

/// How the source is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Into so many pieces of the same size, give or take one; partition `i` is piece `i`.
    Equal { pieces: u64 },
    /// Into sizes that follow the measured pace.
    Measured,
}

/// A partition just leased.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) partition: PartitionId,
    pub(crate) attempt: Attempt,
    pub(crate) position: u64,
    pub(crate) count: u64,
}

/// What a death means for the partition that was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is tried again, whole or in halves.
    Again,
    /// It is guilty.
    Convicted {
        /// Its first position.
        position: u64,
        /// How many.
        count: u64,
        /// Workers it has killed.
        deaths: u32,
    },
}

/// When a queued partition is leased: suspects before all others, and the latest of them first, so that the search for
/// what kills goes down to an element before it goes into breadth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Suspect(Reverse<PartitionId>),
    Other(PartitionId),
}

impl Turn {
    fn partition(self) -> PartitionId {
        match self {
            Self::Suspect(Reverse(id)) | Self::Other(id) => id,
        }
    }
}

/// All pieces of one job.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    elements: u64,
    plan: Plan,
    /// Ranges not cut yet, as (start, end), the first one last. None touches the next.
    uncut: Vec<(u64, u64)>,
    /// How many positions that is.
    uncut_count: u64,
    /// Into how many pieces it will be cut, where the plan says so.
    planned: u64,
    /// Next id for a piece that the plan does not number.
    fresh: u64,
    live: BTreeMap<PartitionId, Partition>,
    /// The live ones that are Queued, in the order in which they are leased.
    queued: BTreeSet<Turn>,
    coverage: Coverage,
    accepted: u64,
    /// Nothing from here on is leased: a partition that begins here has no answer, and those before it are to be seen first.
    limit: Option<u64>,
    /// Uncut ranges from the limit on.
    uncut_beyond: Vec<(u64, u64)>,
    /// Live partitions from the limit on that would be Queued.
    beyond: usize,
    /// Attempts are numbered from here on: workers may still answer those of before it started over.
    attempts_before: u32,
    /// The highest number of an attempt.
    attempts_most: u32,
}

impl Work {
    /// Work on `elements` positions, cut into `pieces` where a number was asked for.
    pub(crate) fn new(elements: u64, pieces: Option<u64>) -> Self {
        let (plan, fresh) = match pieces {
            Some(pieces) => {
                let pieces = pieces.clamp(1, elements.max(1));
                (Plan::Equal { pieces }, pieces)
            }
            None => (Plan::Measured, 0),
        };
        let mut work = Self {
            elements,
            plan,
            uncut: Vec::new(),
            uncut_count: 0,
            planned: 0,
            fresh,
            live: BTreeMap::new(),
            queued: BTreeSet::new(),
            coverage: Coverage::default(),
            accepted: 0,
            limit: None,
            uncut_beyond: Vec::new(),
            beyond: 0,
            attempts_before: 0,
            attempts_most: 0,
        };
        work.leave_uncut(0, elements);
        work
    }

    /// The same with these ranges covered already, by so many partitions; nothing, if they cannot be.
    pub(crate) fn restored(
        elements: u64,
        pieces: Option<u64>,
        covered: &[(u64, u64)],
        accepted: u64,
    ) -> Option<Self> {
        let mut work = Self::new(elements, pieces);
        for &(position, count) in covered {
            let fits = position.checked_add(count).is_some_and(|end| end <= elements);
            if !fits || !work.coverage.add(position, count) {
                return None;
            }
        }
        (work.uncut, work.uncut_count, work.planned) = (Vec::new(), 0, 0);
        let runs: Vec<(u64, u64)> = work.coverage.runs().collect();
        let mut end = elements;
        for (position, count) in runs.into_iter().rev() {
            work.leave_uncut(position + count, end);
            end = position;
        }
        work.leave_uncut(0, end);
        work.accepted = accepted;
        Some(work)
    }

    /// All of it anew. No attempt has a number that one had before.
    pub(crate) fn start_over(&mut self) {
        let pieces = match self.plan {
            Plan::Equal { pieces } => Some(pieces),
            Plan::Measured => None,
        };
        let most = self.attempts_most;
        *self = Self { attempts_before: most, attempts_most: most, ..Self::new(self.elements, pieces) };
    }

    /// Adds a range that lies before all others that are uncut.
    fn leave_uncut(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        self.uncut.push((start, end));
        self.uncut_count += end - start;
        if let Plan::Equal { pieces } = self.plan {
            self.planned += self.piece_at(pieces, end - 1).0 - self.piece_at(pieces, start).0 + 1;
        }
    }

    /// The piece of an equal cut that a position belongs to: its number, start and end.
    fn piece_at(&self, pieces: u64, position: u64) -> (u64, u64, u64) {
        let (small, larger) = (self.elements / pieces, self.elements % pieces);
        // The first `larger` pieces have one element more.
        let first_small = larger * (small + 1);
        if position < first_small {
            let number = position / (small + 1);
            (number, number * (small + 1), (number + 1) * (small + 1))
        } else {
            let number = (position - first_small) / small;
            let start = first_small + number * small;
            (larger + number, start, start + small)
        }
    }

    /// Leases nothing that begins at `limit` or after it any more. A live partition begins there.
    pub(crate) fn leave_out_from(&mut self, limit: u64) {
        self.limit = Some(limit);
        let uncut = std::mem::take(&mut self.uncut);
        let (before, beyond): (Vec<_>, Vec<_>) = uncut.into_iter().partition(|(start, _)| *start < limit);
        self.uncut_beyond.extend(beyond);
        self.leave_all_uncut(before);
        let live = &self.live;
        let is_before = |turn: &Turn| live.get(&turn.partition()).is_some_and(|piece| piece.position < limit);
        let waiting = self.queued.len();
        self.queued.retain(is_before);
        self.beyond += waiting - self.queued.len();
    }

    /// Whether all that lies before the limit has been accepted.
    pub(crate) fn is_done_before_limit(&self) -> bool {
        let before = |limit: u64| self.live.values().any(|piece| piece.position < limit);
        self.limit.is_some_and(|limit| self.uncut.is_empty() && !before(limit))
    }

    /// Everything may be leased again.
    pub(crate) fn leave_nothing_out(&mut self) {
        if self.limit.take().is_none() {
            return;
        }
        let mut uncut = std::mem::take(&mut self.uncut);
        uncut.append(&mut self.uncut_beyond);
        uncut.sort_unstable_by_key(|(start, _)| Reverse(*start));
        self.leave_all_uncut(uncut);
        let waiting = self.live.iter().filter(|(_, piece)| piece.state == PartitionState::Queued);
        self.queued = waiting.map(|(&id, piece)| piece.turn(id)).collect();
        self.beyond = 0;
    }

    /// These ranges are what is uncut; the first one last.
    fn leave_all_uncut(&mut self, ranges: Vec<(u64, u64)>) {
        (self.uncut, self.uncut_count, self.planned) = (Vec::new(), 0, 0);
        for (start, end) in ranges {
            self.leave_uncut(start, end);
        }
    }

    /// Positions not cut yet.
    pub(crate) fn uncut(&self) -> u64 {
        self.uncut_count
    }

    /// Whether the sizes follow the measured pace.
    pub(crate) fn is_measured(&self) -> bool {
        match self.plan {
            Plan::Equal { .. } => false,
            Plan::Measured => true,
        }
    }

    /// Pieces that wait for a worker, if a new one has `size` elements where the plan leaves that open.
    pub(crate) fn waiting(&self, size: u64) -> u64 {
        self.planned().unwrap_or_else(|| self.uncut().div_ceil(size)) + self.returned()
    }

    /// Whether any piece waits for a worker.
    pub(crate) fn has_waiting(&self) -> bool {
        self.uncut() > 0 || !self.queued.is_empty()
    }

    /// Whether `take` would give a piece that may well kill.
    pub(crate) fn next_is_suspect(&self) -> bool {
        match self.queued.first() {
            Some(Turn::Suspect(_)) => true,
            Some(Turn::Other(_)) | None => false,
        }
    }

    /// Elements of the piece that `take` would give next.
    pub(crate) fn next_count(&self, size: u64) -> u64 {
        match self.queued.first() {
            Some(turn) => self.live.get(&turn.partition()).map_or(0, |piece| piece.count),
            None => self.next_cut(size),
        }
    }

    fn next_cut(&self, size: u64) -> u64 {
        let Some(&(start, end)) = self.uncut.last() else { return 0 };
        match self.plan {
            Plan::Equal { pieces } => self.piece_at(pieces, start).2.min(end) - start,
            Plan::Measured => size.min(end - start),
        }
    }

    /// Leases the next waiting piece: one that was given back before a new one.
    pub(crate) fn take(&mut self, size: u64, worker: WorkerId, until: Moment) -> Option<Taken> {
        let partition = match self.queued.pop_first() {
            Some(turn) => turn.partition(),
            None => self.cut(size)?,
        };
        let piece = self.live.get_mut(&partition)?;
        piece.attempts = piece.attempts.max(self.attempts_before).saturating_add(1);
        self.attempts_most = self.attempts_most.max(piece.attempts);
        let attempt = Attempt(piece.attempts);
        piece.state = PartitionState::Leased { worker, attempt, until };
        Some(Taken { partition, attempt, position: piece.position, count: piece.count })
    }

    /// Cuts one piece from the first uncut range; the caller leases it at once.
    fn cut(&mut self, size: u64) -> Option<PartitionId> {
        let count = self.next_cut(size);
        let (start, end) = self.uncut.pop().filter(|_| count > 0)?;
        if start + count < end {
            self.uncut.push((start + count, end));
        }
        self.uncut_count -= count;
        let partition = match self.plan {
            Plan::Equal { pieces } => {
                self.planned -= 1;
                // What is left of a piece after a restart is not that piece.
                match self.piece_at(pieces, start) {
                    (number, from, to) if (from, to) == (start, start + count) => PartitionId(number),
                    _ => self.fresh_id(),
                }
            }
            Plan::Measured => self.fresh_id(),
        };
        self.live.insert(partition, Partition::new(start, count, false));
        Some(partition)
    }

    fn fresh_id(&mut self) -> PartitionId {
        self.fresh += 1;
        PartitionId(self.fresh - 1)
    }

    /// The partition, if this worker holds exactly this attempt of it.
    pub(crate) fn held_by(
        &self,
        partition: PartitionId,
        attempt: Attempt,
        worker: WorkerId,
    ) -> Option<&Partition> {
        self.live.get(&partition).filter(|piece| piece.is_held_by(attempt, worker))
    }

    /// Moves the deadline of a leased partition.
    pub(crate) fn extend(&mut self, partition: PartitionId, to: Moment) {
        if let Some(Partition { state: PartitionState::Leased { until, .. }, .. }) =
            self.live.get_mut(&partition)
        {
            *until = to;
        }
    }

    /// Until when its holder may be silent.
    pub(crate) fn until(&self, partition: PartitionId) -> Option<Moment> {
        match self.live.get(&partition)?.state {
            PartitionState::Leased { until, .. } => Some(until),
            PartitionState::Queued => None,
        }
    }

    /// Whether none of its positions has been accepted. Always so for a live partition; asked before each merge all the
    /// same, because a position that counts twice is the one mistake that must not happen.
    pub(crate) fn is_free(&self, partition: PartitionId) -> bool {
        self.live.get(&partition).is_some_and(|piece| self.coverage.is_free(piece.position, piece.count))
    }

    /// A leased partition is done: its positions are covered from now on. Refuses, unchanged, what would count twice.
    pub(crate) fn accept(&mut self, partition: PartitionId) -> bool {
        let Some(piece) = self.live.get(&partition).filter(|piece| piece.state != PartitionState::Queued)
        else {
            return false;
        };
        if !self.coverage.add(piece.position, piece.count) {
            return false;
        }
        self.live.remove(&partition);
        self.accepted += 1;
        true
    }

    /// A leased partition waits again; nobody is to blame.
    pub(crate) fn give_back(&mut self, partition: PartitionId) {
        if let Some(piece) = self.live.get_mut(&partition) {
            piece.state = PartitionState::Queued;
            if self.limit.is_some_and(|limit| piece.position >= limit) {
                self.beyond += 1;
                return;
            }
            let turn = piece.turn(partition);
            self.queued.insert(turn);
        }
    }

    /// A worker died while it ran this partition, which may kill `retries` workers before it is bisected.
    ///
    /// A half of a bisected piece has no such right: it is bisected at its first death, down to a single element, and
    /// that must kill `retries` workers by itself. With no retries at all the whole piece is convicted at once.
    pub(crate) fn charge(&mut self, partition: PartitionId, retries: u32) -> Verdict {
        let Some(piece) = self.live.get_mut(&partition) else { return Verdict::Again };
        piece.deaths = piece.deaths.saturating_add(1);
        let Partition { position, count, deaths, suspect, .. } = *piece;
        let spent = deaths >= retries;
        let convicted = spent && (count == 1 || retries == 0);
        let bisected = count > 1 && (spent || suspect) && !convicted;
        self.give_back(partition);
        // Something before it has no answer already.
        if self.limit.is_some_and(|limit| position >= limit) {
            return Verdict::Again;
        }
        if bisected {
            self.bisect(partition);
        }
        if convicted { Verdict::Convicted { position, count, deaths } } else { Verdict::Again }
    }

    fn bisect(&mut self, partition: PartitionId) {
        let Some(piece) = self.live.remove(&partition) else { return };
        self.queued.remove(&piece.turn(partition));
        let Partition { position, count, .. } = piece;
        let left = count / 2;
        for (position, count) in [(position, left), (position + left, count - left)] {
            let half = self.fresh_id();
            self.live.insert(half, Partition::new(position, count, true));
            self.queued.insert(Turn::Suspect(Reverse(half)));
        }
    }

    /// Every waiting piece gets its full number of tries again; attempt numbers go on.
    pub(crate) fn forgive(&mut self) {
        for piece in self.live.values_mut() {
            piece.deaths = 0;
            piece.suspect = false;
        }
        self.queued = self.queued.iter().map(|turn| Turn::Other(turn.partition())).collect();
    }

    /// Whether each position has been accepted exactly once.
    pub(crate) fn is_done(&self) -> bool {
        self.coverage.is_whole(self.elements)
    }

    /// Positions accepted.
    pub(crate) fn covered(&self) -> u64 {
        self.coverage.covered()
    }

    /// Partitions accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Partitions leased now.
    pub(crate) fn leased(&self) -> u64 {
        (self.live.len() - self.queued.len() - self.beyond) as u64
    }

    /// Partitions that were leased once and wait again.
    pub(crate) fn returned(&self) -> u64 {
        self.queued.len() as u64
    }

    /// Pieces of the plan not cut yet, where their number is known.
    pub(crate) fn planned(&self) -> Option<u64> {
        match self.plan {
            Plan::Equal { .. } if self.uncut() > 0 => Some(self.planned),
            Plan::Measured if self.uncut() > 0 => None,
            Plan::Equal { .. } | Plan::Measured => Some(0),
        }
    }

    /// The live partitions, for views and checks.
    pub(crate) fn live(&self) -> impl Iterator<Item = (PartitionId, &Partition)> {
        self.live.iter().map(|(&id, piece)| (id, piece))
    }

    /// The accepted ranges.
    pub(crate) fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Panics unless each position is in exactly one place.
    pub(crate) fn check(&self) {
        let mut all = self.coverage.clone();
        for (id, piece) in &self.live {
            assert!(all.add(piece.position, piece.count), "partition {id} overlaps");
            let leasable = self.limit.is_none_or(|limit| piece.position < limit);
            let waits = piece.state == PartitionState::Queued && leasable;
            assert_eq!(waits, self.queued.contains(&piece.turn(*id)), "partition {id} is in the wrong queue");
        }
        let waiting = self.live.values().filter(|piece| piece.state == PartitionState::Queued).count();
        assert_eq!(waiting, self.queued.len() + self.beyond, "a queued partition is gone");
        let mut uncut = 0;
        for &(start, end) in &self.uncut {
            assert!(end > start && all.add(start, end - start), "{start}..{end} is uncut and somewhere else");
            uncut += end - start;
        }
        assert_eq!(uncut, self.uncut_count, "how many are uncut");
        for &(start, end) in &self.uncut_beyond {
            assert!(all.add(start, end - start), "{start}..{end} is left out and somewhere else");
        }
        assert!(all.is_whole(self.elements), "positions are lost");
    }
}

impl Partition {
    fn new(position: u64, count: u64, suspect: bool) -> Self {
        Self { position, count, deaths: 0, attempts: 0, suspect, state: PartitionState::Queued }
    }

    fn turn(&self, id: PartitionId) -> Turn {
        if self.suspect { Turn::Suspect(Reverse(id)) } else { Turn::Other(id) }
    }

    fn is_held_by(&self, attempt: Attempt, worker: WorkerId) -> bool {
        match self.state {
            PartitionState::Leased { worker: holder, attempt: current, .. } => {
                holder == worker && current == attempt
            }
            PartitionState::Queued => false,
        }
    }
}

#[cfg(test)]
mod tests;
