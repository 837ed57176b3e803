//! A state for each group of elements: partials, or sums of decimals.
//!
//! Groups are found by the bytes of their key and sorted only when they are written or answered, so nothing
//! depends on the order in which they came. Memory is bounded by what the groups cost, worked out from the
//! keys and the list of reductions alone: a job has too many groups however it was cut, or has not.

use std::collections::HashMap;

use crate::bytes::{Input, code, reduction};
use crate::key::{GroupKey, KeyPart, parts};
use crate::{DecimalSum, Malformed, Mismatch, Partial, Reduction};

const VERSION: u8 = 1;
/// The same with values that were made a NaN.
const VERSION_MADE_NAN: u8 = 2;

/// What is known of the elements of one group.
pub trait GroupState: Sized {
    /// Bytes of memory it may hold on to beside its own size; products, and decimals of many digits, may hold more.
    const HELD_BYTES: usize;

    /// The state of no elements.
    fn of_nothing(reductions: &[Reduction]) -> Self;
    /// How many elements were folded.
    fn elements(&self) -> u64;
    /// How many were left out.
    fn skipped(&self) -> u64;
    /// Adds the elements of another of the same reductions. Commutative and associative.
    ///
    /// # Errors
    /// If the two do not fit together; then `self` is as it was.
    fn merge(&mut self, other: Self) -> Result<(), Mismatch>;
    /// The canonical bytes.
    fn to_bytes(&self) -> Vec<u8>;
    /// Reads these, of a state of these reductions.
    ///
    /// # Errors
    /// If they are no canonical bytes of one.
    fn from_bytes(bytes: &[u8], reductions: &[Reduction]) -> Result<Self, Malformed>;
}

/// What a state does in a group is what it does by itself.
macro_rules! as_it_does_alone {
    () => {
        fn elements(&self) -> u64 {
            self.elements()
        }

        fn skipped(&self) -> u64 {
            self.skipped()
        }

        fn merge(&mut self, other: Self) -> Result<(), Mismatch> {
            self.merge(other)
        }

        fn to_bytes(&self) -> Vec<u8> {
            self.to_bytes()
        }
    };
}

impl GroupState for Partial {
    const HELD_BYTES: usize = 2_304;

    fn of_nothing(reductions: &[Reduction]) -> Self {
        Self::identity(reductions)
    }

    as_it_does_alone!();

    fn from_bytes(bytes: &[u8], reductions: &[Reduction]) -> Result<Self, Malformed> {
        let partial = Self::from_bytes(bytes)?;
        if partial.reductions() == reductions { Ok(partial) } else { Err(Malformed::NotCanonical) }
    }
}

impl GroupState for DecimalSum {
    const HELD_BYTES: usize = 1_024;

    fn of_nothing(_: &[Reduction]) -> Self {
        Self::new()
    }

    as_it_does_alone!();

    fn from_bytes(bytes: &[u8], _: &[Reduction]) -> Result<Self, Malformed> {
        Self::from_bytes(bytes)
    }
}

/// The mergeable answers for some elements in groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grouped<S = Partial> {
    reductions: Vec<Reduction>,
    bytes_max: usize,
    bytes: usize,
    /// Elements left out before anybody knew of which group they are.
    skipped: u64,
    /// Values that were made a NaN, whatever their group.
    made_nan: u64,
    groups: HashMap<Box<[u8]>, S>,
}

impl<S: GroupState> Grouped<S> {
    /// No groups. All of them together may cost `bytes_max` bytes of memory, roughly.
    pub fn new(reductions: &[Reduction], bytes_max: usize) -> Self {
        let groups = HashMap::new();
        Self { reductions: reductions.to_vec(), bytes_max, bytes: 0, skipped: 0, made_nan: 0, groups }
    }

    /// The reductions this is for, in the order asked.
    pub fn reductions(&self) -> &[Reduction] {
        &self.reductions
    }

    /// Bytes of memory that the groups take, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there are no groups.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many elements were folded, in all groups.
    pub fn elements(&self) -> u64 {
        self.groups.values().fold(0, |all, partial| all.saturating_add(partial.elements()))
    }

    /// How many elements were left out, in all groups and outside of them.
    pub fn skipped(&self) -> u64 {
        self.groups.values().fold(self.skipped, |all, partial| all.saturating_add(partial.skipped()))
    }

    /// Counts elements that somebody else left out, whatever their group.
    pub fn skip(&mut self, elements: u64) {
        self.skipped = self.skipped.saturating_add(elements);
    }

    /// How many values were made a NaN.
    pub fn made_nan(&self) -> u64 {
        self.made_nan
    }

    /// Counts values that somebody else made a NaN.
    pub fn make_nan(&mut self, values: u64) {
        self.made_nan = self.made_nan.saturating_add(values);
    }

    /// The state of a group, which is made if it is new. A key has as many parts as every other.
    ///
    /// # Errors
    /// If a new group would cost too much memory; then there is no such group.
    pub fn group(&mut self, key: &GroupKey) -> Result<&mut S, Mismatch> {
        let key = key.as_bytes();
        if !self.groups.contains_key(key) {
            let bytes = self.room_for(1, self.cost(key))?;
            self.groups.insert(key.into(), S::of_nothing(&self.reductions));
            self.bytes = bytes;
        }
        // It is there: either it was, or it was just put there.
        self.groups.get_mut(key).ok_or(Mismatch::Elements)
    }

    /// Adds the groups of another. Commutative and associative.
    ///
    /// # Errors
    /// If the two do not fit together, or not in memory; then `self` is as it was.
    pub fn merge(&mut self, other: Self) -> Result<(), Mismatch> {
        if self.reductions != other.reductions {
            return Err(Mismatch::Reductions);
        }
        let (mut count, mut more) = (0_usize, 0_usize);
        for (key, partial) in &other.groups {
            match self.groups.get(key) {
                Some(mine) if mine.elements().checked_add(partial.elements()).is_none() => {
                    return Err(Mismatch::Elements);
                }
                Some(_) => {}
                None => (count, more) = (count + 1, more.saturating_add(self.cost(key))),
            }
        }
        self.bytes = self.room_for(count, more)?;
        self.skip(other.skipped);
        self.make_nan(other.made_nan);
        for (key, partial) in other.groups {
            match self.groups.get_mut(&key) {
                Some(mine) => mine.merge(partial)?,
                None => {
                    self.groups.insert(key, partial);
                }
            }
        }
        Ok(())
    }

    /// The groups in the order of their keys.
    pub fn groups(&self) -> Vec<(Vec<KeyPart>, &S)> {
        self.sorted().into_iter().map(|(key, state)| (parts(key).unwrap_or_default(), state)).collect()
    }

    /// The canonical bytes: equal groups have equal bytes.
    ///
    /// Version 1, or 2 if values were made a NaN; how many reductions, in 8 bytes, and a byte for each; how many elements
    /// were left out of no group, in 8 bytes; of version 2, how many values were made a NaN, in 8 bytes; how many groups, in 8 bytes; for each, in
    /// the order of the keys, the length of the key in 8 bytes and the key, and the same of its state.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![if self.made_nan > 0 { VERSION_MADE_NAN } else { VERSION }];
        put(&mut out, &self.reductions.iter().map(|reduction| code(*reduction)).collect::<Vec<_>>());
        out.extend(self.skipped.to_le_bytes());
        if self.made_nan > 0 {
            out.extend(self.made_nan.to_le_bytes());
        }
        out.extend((self.groups.len() as u64).to_le_bytes());
        for (key, partial) in self.sorted() {
            put(&mut out, key);
            put(&mut out, &partial.to_bytes());
        }
        out
    }

    /// Reads what [`Grouped::to_bytes`] wrote, and nothing else.
    ///
    /// # Errors
    /// If the bytes are not exactly one text in canonical form, or the groups cost more than `bytes_max`.
    pub fn from_bytes(bytes: &[u8], bytes_max: usize) -> Result<Self, Malformed> {
        let mut input = Input(bytes);
        let made_nan = match input.byte()? {
            VERSION => false,
            VERSION_MADE_NAN => true,
            version => return Err(Malformed::Version(version)),
        };
        let codes = input.text()?;
        let reductions = codes.iter().map(|byte| reduction(*byte)).collect::<Result<Vec<_>, _>>()?;
        let mut grouped = Self::new(&reductions, bytes_max);
        grouped.skipped = input.number()?;
        if made_nan {
            grouped.made_nan = input.number()?;
            if grouped.made_nan == 0 {
                return Err(Malformed::NotCanonical);
            }
        }
        let mut last: Option<&[u8]> = None;
        for _ in 0..input.number()? {
            let key = input.text()?;
            if last.is_some_and(|last| last >= key) || parts(key).is_none() {
                return Err(Malformed::NotCanonical);
            }
            last = Some(key);
            let state = S::from_bytes(input.text()?, &reductions)?;
            grouped.bytes = grouped.room_for(1, grouped.cost(key)).map_err(|_| Malformed::TooManyGroups)?;
            grouped.groups.insert(key.into(), state);
        }
        if input.0.is_empty() { Ok(grouped) } else { Err(Malformed::Trailing) }
    }

    fn sorted(&self) -> Vec<(&[u8], &S)> {
        let mut sorted: Vec<_> = self.groups.iter().map(|(key, state)| (&**key, state)).collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        sorted
    }

    /// What a group costs, roughly and at most.
    fn cost(&self, key: &[u8]) -> usize {
        const TABLE: usize = 64;
        key.len() + TABLE + size_of::<S>() + self.reductions.len() + S::HELD_BYTES
    }

    /// What all groups cost with so many more, which cost so much.
    fn room_for(&self, count: usize, more: usize) -> Result<usize, Mismatch> {
        let bytes = self.bytes.saturating_add(more);
        if bytes > self.bytes_max {
            return Err(Mismatch::Groups { groups: self.groups.len() + count, bytes_max: self.bytes_max });
        }
        Ok(bytes)
    }
}

fn put(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Indices, Integer, NanPolicy};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    const ROOMY: usize = 1 << 30;
    const LIST: [Reduction; 3] = [Reduction::Sum, Reduction::Min, Reduction::Count];

    fn add(grouped: &mut Grouped, row: &(i8, String, f64), index: u64) {
        let mut key = GroupKey::new();
        key.push_text(row.1.as_bytes());
        key.push_integer(&Integer::from(row.0));
        let partial = grouped.group(&key).unwrap();
        partial.absorb_f64(&[row.2], Indices::From(index), NanPolicy::Keep).unwrap();
    }

    #[test]
    fn decimals_group_the_same_for_every_cut() {
        let rows = [("a", "0.10"), ("b", "-3"), ("a", "0.2"), ("c", "1e1"), ("b", "2.75"), ("a", "7")];
        let of = |rows: &[(&str, &str)]| {
            let mut grouped: Grouped<DecimalSum> = Grouped::new(&LIST, ROOMY);
            for (key, text) in rows {
                let mut name = GroupKey::new();
                name.push_text(key.as_bytes());
                grouped.group(&name).unwrap().add_text(text.as_bytes(), None).unwrap();
            }
            grouped
        };
        let whole = of(&rows);
        let sums: Vec<String> = whole.groups().iter().map(|(_, sum)| sum.sum().to_string()).collect();
        assert_eq!(sums, ["7.30", "-0.25", "10"]);
        for cut in 0..=rows.len() {
            let (mut low, high) = (of(&rows[cut..]), of(&rows[..cut]));
            low.merge(Grouped::from_bytes(&high.to_bytes(), ROOMY).unwrap()).unwrap();
            assert_eq!(low.to_bytes(), whole.to_bytes());
        }
        let mut more = of(&rows[..1]);
        assert_eq!(more.merge(Grouped::new(&[Reduction::Max], ROOMY)), Err(Mismatch::Reductions));
        let bytes = whole.to_bytes();
        assert!((0..bytes.len()).all(|end| Grouped::<DecimalSum>::from_bytes(&bytes[..end], ROOMY).is_err()));
    }

    fn of(rows: &[(u64, (i8, String, f64))]) -> Grouped {
        let mut grouped = Grouped::new(&LIST, ROOMY);
        grouped.make_nan(rows.iter().filter(|(_, row)| row.2 < 0.0).count() as u64);
        for (index, row) in rows {
            add(&mut grouped, row, *index);
        }
        grouped
    }

    fn rows() -> impl Strategy<Value = Vec<(u64, (i8, String, f64))>> {
        vec((-2_i8..2, "[ab]{0,2}", -1e3..1e3), 0..60)
            .prop_map(|rows| rows.into_iter().enumerate().map(|(at, row)| (at as u64, row)).collect())
    }

    proptest! {
        #[test]
        fn cuts_order_and_grouping_change_nothing(rows in rows(), cuts in vec(any::<Index>(), 0..6), choices in vec(any::<Index>(), 1..9)) {
            let whole = of(&rows);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len() + 1)).collect();
            ends.extend([0, rows.len()]);
            ends.sort_unstable();
            let mut parts: Vec<Grouped> = ends
                .windows(2)
                .map(|ends| of(&rows[ends[0]..ends[1]]))
                .map(|part| Grouped::from_bytes(&part.to_bytes(), ROOMY).unwrap())
                .collect();
            let mut choices = choices.iter().cycle();
            while parts.len() > 1 {
                let other = parts.swap_remove(choices.next().unwrap().index(parts.len()));
                let into = choices.next().unwrap().index(parts.len());
                parts[into].merge(other).unwrap();
            }
            prop_assert_eq!(parts[0].to_bytes(), whole.to_bytes());
            prop_assert_eq!(&parts[0], &whole);
            prop_assert_eq!(whole.elements(), rows.len() as u64);
            for (key, partial) in whole.groups() {
                let [KeyPart::Text(text), KeyPart::Integer(number)] = &key[..] else { panic!("{key:?}") };
                let mine = rows.iter().filter(|(_, row)| row.1.as_bytes() == text && Integer::from(row.0) == *number);
                let least = mine.clone().map(|(_, row)| row.2).fold(f64::INFINITY, f64::min);
                let answers = partial.finish(false);
                prop_assert_eq!(&answers[1].1, &Ok(Answer::Float(least)));
                prop_assert_eq!(&answers[2].1, &Ok(Answer::Integer(mine.count().into())));
            }
        }

        #[test]
        fn damage_is_refused_or_means_one_thing(rows in rows(), damage in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..4)) {
            let mut bytes = of(&rows[..rows.len().min(5)]).to_bytes();
            for (at, byte, how) in damage {
                if bytes.is_empty() {
                    break;
                }
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes[at] ^= 1 << (byte % 8),
                    2 => bytes.truncate(at),
                    _ => bytes.insert(at, byte),
                }
            }
            if let Ok(mut grouped) = Grouped::<Partial>::from_bytes(&bytes, ROOMY) {
                prop_assert_eq!(grouped.to_bytes(), bytes);
                let copy = grouped.clone();
                if grouped.merge(copy).is_ok() {
                    grouped.groups();
                }
            }
        }
    }

    #[test]
    fn groups_come_in_the_order_of_their_keys() {
        let mut grouped: Grouped = Grouped::new(&[Reduction::Count], ROOMY);
        let integer = |value: i64| KeyPart::Integer(value.into());
        let text = |text: &str| KeyPart::Text(text.as_bytes().to_vec());
        for part in [text("b"), integer(10), text("a"), integer(-10), integer(9), text("")] {
            let mut key = GroupKey::new();
            key.push(&part);
            grouped.group(&key).unwrap();
        }
        let keys: Vec<_> = grouped.groups().into_iter().flat_map(|(key, _)| key).collect();
        assert_eq!(keys, [integer(-10), integer(9), integer(10), text(""), text("a"), text("b")]);
    }

    #[test]
    fn memory_is_bounded_the_same_for_every_cut() {
        let key = |value: i64| {
            let mut key = GroupKey::new();
            key.push_integer(&value.into());
            key
        };
        let bytes_max = 3 * Grouped::<Partial>::new(&LIST, 0).cost(key(1).as_bytes());
        let full = Mismatch::Groups { groups: 4, bytes_max };
        let mut one: Grouped = Grouped::new(&LIST, bytes_max);
        for value in [1, 2, 1, 3, 2] {
            one.group(&key(value)).unwrap();
        }
        assert_eq!(one.group(&key(4)).unwrap_err(), full);
        assert_eq!(one.len(), 3);
        let mut other: Grouped = Grouped::new(&LIST, bytes_max);
        other.group(&key(4)).unwrap();
        let before = one.clone();
        assert_eq!(one.merge(other.clone()), Err(full));
        assert_eq!(one, before);
        assert_eq!(one.merge(Grouped::new(&[], bytes_max)), Err(Mismatch::Reductions));
        assert_eq!(
            Grouped::<Partial>::from_bytes(&one.to_bytes(), bytes_max - 1),
            Err(Malformed::TooManyGroups)
        );
        assert_eq!(Grouped::from_bytes(&one.to_bytes(), bytes_max), Ok(one));
        assert_eq!(
            Mismatch::Groups { groups: 4, bytes_max: 10 }.to_string(),
            "hold all groups: 4 of them need more than the 10 bytes that groups may take"
        );
    }
}
