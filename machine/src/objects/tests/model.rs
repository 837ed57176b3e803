//! Random operations against the plainest model there can be: maps and vectors, no leases by number, no pages.

use std::collections::{BTreeMap, VecDeque};

use tally_protocol::objects::Receipt;

use super::*;

/// Numbers that nobody depends on.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    value: Option<i64>,
    dict: BTreeMap<String, i64>,
    list: VecDeque<i64>,
    ready: BTreeMap<u64, i64>,
    leased: BTreeMap<u64, (u64, i64)>,
    put: u64,
}

/// One step for both; what each says it came to.
fn step(dice: &mut Dice) -> (Verb, &'static str) {
    let number = i64::try_from(dice.roll(50)).unwrap();
    let key = format!("k{}", dice.roll(6));
    match dice.roll(14) {
        0 => (set(number), "v"),
        1 => (add(number), "v"),
        2 => (Verb::Value(ValueVerb::Swap { old: Some(number.into()), new: (number + 1).into() }), "v"),
        3 | 4 => (dict_set(&key, number), "d"),
        5 => (Verb::Dict(DictVerb::Add(key, number.into())), "d"),
        6 => (Verb::Dict(DictVerb::Delete(key)), "d"),
        7 | 8 => (push(&[number, number + 1], number % 2 == 0), "l"),
        9 => (Verb::List(ListVerb::Pop(number % 7 - 3)), "l"),
        10 => (Verb::List(ListVerb::Set(number % 7 - 3, number.into())), "l"),
        11 | 12 => (put(&[number]), "q"),
        _ => (take(), "q"),
    }
}

impl Model {
    /// Does it; the value it tells, or nothing if it cannot be done.
    fn apply(&mut self, verb: &Verb) -> Option<Option<i64>> {
        let int = |datum: &Datum| datum.to_string().parse::<i64>().unwrap();
        match verb {
            Verb::Value(ValueVerb::Set(value)) => {
                self.value = Some(int(value));
                Some(None)
            }
            Verb::Value(ValueVerb::Add(value)) => {
                self.value = Some(self.value.unwrap_or(0) + int(value));
                Some(self.value)
            }
            Verb::Value(ValueVerb::Swap { old, new }) => {
                if self.value? != int(old.as_ref()?) {
                    return None;
                }
                self.value = Some(int(new));
                Some(self.value)
            }
            Verb::Dict(DictVerb::Set(key, value)) => {
                self.dict.insert(key.clone(), int(value));
                Some(None)
            }
            Verb::Dict(DictVerb::Add(key, value)) => {
                let there = self.dict.entry(key.clone()).or_default();
                *there += int(value);
                Some(Some(*there))
            }
            Verb::Dict(DictVerb::Delete(key)) => self.dict.remove(key).map(Some),
            Verb::List(ListVerb::Push { values, front }) => {
                for value in values {
                    if *front {
                        self.list.push_front(int(value));
                    } else {
                        self.list.push_back(int(value));
                    }
                }
                Some(None)
            }
            Verb::List(ListVerb::Pop(index)) => self.list.remove(self.place(*index)?).map(Some),
            Verb::List(ListVerb::Set(index, value)) => {
                let place = self.place(*index)?;
                self.list[place] = int(value);
                Some(None)
            }
            Verb::Queue(QueueVerb::Put(values)) => {
                for value in values {
                    self.put += 1;
                    self.ready.insert(self.put, int(value));
                }
                Some(None)
            }
            Verb::Queue(QueueVerb::Get { .. }) => self.ready.pop_first().map(|(_, value)| Some(value)),
            other => panic!("{other:?}"),
        }
    }

    fn place(&self, index: i64) -> Option<usize> {
        let length = i64::try_from(self.list.len()).unwrap();
        let place = if index < 0 { index + length } else { index };
        (0..length).contains(&place).then(|| usize::try_from(place).unwrap())
    }

    fn of(bench: &mut Bench) -> (Vec<String>, Vec<String>) {
        let items = match bench.at(1, "d", Verb::Dict(DictVerb::Items(None))).remove(0).1 {
            Ok(ObjectReply::Result { result }) => result.items.unwrap().0,
            _ => Vec::new(),
        };
        let dict = items.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let list = match bench.at(1, "l", Verb::List(ListVerb::All(0))).remove(0).1 {
            Ok(ObjectReply::Result { result }) => {
                result.values.unwrap().iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        };
        (dict, list)
    }

    fn shown(&self) -> (Vec<String>, Vec<String>) {
        let dict = self.dict.iter().map(|(key, value)| format!("{key}={value}")).collect();
        (dict, self.list.iter().map(ToString::to_string).collect())
    }
}

fn now(name: &str, verb: Verb) -> Operation {
    Operation { timeout_ms: Some(0), ..persistent(name, verb) }
}

#[test]
fn single_operations_transactions_and_restarts_do_what_a_model_does() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let (mut bench, mut model) = (Bench::new(), Model::default());
        for turn in 0..120 {
            match dice.roll(12) {
                0 => bench.restart(),
                1..4 => {
                    let steps: Vec<_> = (0..1 + dice.roll(6)).map(|_| step(&mut dice)).collect();
                    let mut after = model.clone();
                    let expected: Option<Vec<_>> = steps.iter().map(|(verb, _)| after.apply(verb)).collect();
                    let operations = steps.into_iter().map(|(verb, name)| now(name, verb)).collect();
                    let results = bench.transact(operations);
                    assert_eq!(results.is_ok(), expected.is_some(), "seed {seed}, turn {turn}: {results:?}");
                    if let Some(expected) = expected {
                        model = after;
                        let told = results.unwrap();
                        let told = told.iter().map(|one| one.value.as_ref().map(ToString::to_string));
                        let expected = expected.into_iter().map(|one| one.map(|value| value.to_string()));
                        assert!(told.eq(expected), "seed {seed}, turn {turn}");
                    }
                }
                _ => {
                    let (verb, name) = step(&mut dice);
                    let expected = model.apply(&verb);
                    let told = bench.operate(1, now(name, verb.clone())).remove(0).1;
                    match (told, expected) {
                        (Ok(ObjectReply::Result { result }), Some(value)) => {
                            let told = result.value.map(|value| value.to_string());
                            assert_eq!(told, value.map(|value| value.to_string()), "seed {seed}, {verb:?}");
                        }
                        (Err(_), None) => {}
                        other => panic!("seed {seed}, turn {turn}: {verb:?} came to {other:?}"),
                    }
                }
            }
        }
        assert_eq!(Model::of(&mut bench), model.shown(), "seed {seed}");
    }
}

/// Producers and consumers that come and go: nothing is lost, nothing is acknowledged twice, each producer's items are
/// delivered in their order.
#[test]
fn no_item_is_lost_whoever_dies() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut bench = Bench::new();
        let mut next = [0_i64; 3];
        let mut leases: BTreeMap<u64, Vec<(Receipt, i64)>> = BTreeMap::new();
        let (mut done, mut first_seen) = (Vec::new(), Vec::new());
        let mut waiting = std::collections::BTreeSet::new();
        let mut client = 100;
        for _ in 0..200 {
            let consumer = 10 + dice.roll(4);
            let told = match dice.roll(5) {
                0 | 1 => {
                    let producer = usize::try_from(dice.roll(3)).unwrap();
                    next[producer] += 1;
                    let item = i64::try_from(producer).unwrap() * 1_000 + next[producer];
                    client += 1;
                    bench.operate(client, Operation::new("q", put(&[item])))
                }
                2 if !waiting.contains(&consumer) => {
                    waiting.insert(consumer);
                    bench.at(consumer, "q", lease())
                }
                3 => match leases.get_mut(&consumer).and_then(Vec::pop) {
                    Some((receipt, item)) => {
                        done.push(item);
                        bench.at(99, "q", Verb::Queue(QueueVerb::Acknowledge(receipt)))
                    }
                    None => continue,
                },
                4 => {
                    waiting.remove(&consumer);
                    leases.remove(&consumer);
                    bench.gone(consumer)
                }
                _ => continue,
            };
            for (client, reply) in told {
                let Ok(ObjectReply::Result { result }) = reply else { panic!("seed {seed}: {reply:?}") };
                if let Some(receipt) = &result.receipt {
                    waiting.remove(&client);
                    let item = value_of(&result).parse().unwrap();
                    leases.entry(client).or_default().push((receipt.parse().unwrap(), item));
                    if result.deliveries == Some(1) {
                        first_seen.push(item);
                    }
                }
            }
        }
        (10..14).for_each(|consumer| drop(bench.gone(consumer)));
        loop {
            let last = Operation { timeout_ms: Some(0), ..Operation::new("q", take()) };
            match bench.operate(1, last).remove(0).1 {
                Ok(ObjectReply::Result { result }) => done.push(value_of(&result).parse().unwrap()),
                _ => break,
            }
        }
        done.sort_unstable();
        let all = (0..3_i64).flat_map(|producer| {
            (1..=next[usize::try_from(producer).unwrap()]).map(move |number| producer * 1_000 + number)
        });
        assert_eq!(done, all.collect::<Vec<_>>(), "seed {seed}");
        for producer in 0..3 {
            let of: Vec<i64> = first_seen.iter().copied().filter(|item| item / 1_000 == producer).collect();
            assert!(of.is_sorted(), "seed {seed}: {of:?}");
        }
    }
}
