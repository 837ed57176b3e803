//! What a user's command writes as its answers: lines, wherever the pipe cuts them; a partial that the supervisor takes, or
//! a sentence of bounded length without anything in it that moves a cursor.

use tally_protocol::limits;
use tally_reduce::{Answer, Reduction, Tally};
use tally_worker::{Asked, Line, Lines, read_answer};

use crate::feed::Feed;

/// Characters of a sentence about an answer: what it quotes, and the rest.
const SENTENCE_CHARS_MAX: usize = 1_500;

const ALL: [Reduction; 6] =
    [Reduction::Sum, Reduction::Product, Reduction::Min, Reduction::Max, Reduction::Count, Reduction::Mean];

/// What was asked: a set of reductions in a byte, elements and cut in one each; the rest is what was written.
pub fn run(bytes: &[u8]) {
    let mut feed = Feed::new(bytes);
    let (set, elements, cut) = (feed.byte(), u64::from(feed.byte()), usize::from(feed.byte()));
    let chosen = ALL.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, one)| *one);
    let mut reductions: Vec<Reduction> = chosen.collect();
    if reductions.is_empty() {
        reductions.push(Reduction::Sum);
    }
    let asked = Asked { reductions: &reductions, elements, partition: 3, attempt: 2 };
    let written = feed.rest();
    for line in lines(written, cut * written.len() / 256) {
        answer(&line, asked);
    }
}

/// Lines, which are the same however they come.
fn lines(written: &[u8], cut: usize) -> Vec<Vec<u8>> {
    let mut lines = Lines::default();
    let mut found = Vec::new();
    for part in [&written[..cut], &written[cut..]] {
        lines.feed(part, |line| found.push(line));
    }
    found.extend(lines.rest());
    let mut plain: Vec<&[u8]> = written.split(|byte| *byte == b'\n').collect();
    if plain.last().is_some_and(|last| last.is_empty()) {
        plain.pop();
    }
    let found: Vec<Vec<u8>> = found
        .into_iter()
        .map(|line| match line {
            Line::Whole(bytes) => bytes,
            Line::TooLong(bytes) => {
                assert_eq!(bytes.len(), limits::KERNEL_LINE_BYTES_MAX);
                bytes
            }
        })
        .collect();
    let most = |line: &&[u8]| line.len() <= limits::KERNEL_LINE_BYTES_MAX;
    assert!(!plain.iter().all(most) || found == plain, "lines depend on how the bytes fall");
    found
}

fn answer(line: &[u8], asked: Asked<'_>) {
    let partial = match read_answer(line, asked) {
        Ok(partial) => partial,
        Err(why) => {
            assert!(!why.contains(char::is_control), "it would move a cursor: {why:?}");
            assert!(why.starts_with("it answered '"), "{why}");
            assert!(why.chars().count() <= SENTENCE_CHARS_MAX, "{why}");
            return;
        }
    };
    // A whole number alone is the answer, digit by digit.
    let text = std::str::from_utf8(line).expect("it was read").trim();
    if let [Reduction::Sum | Reduction::Product | Reduction::Min | Reduction::Max] = asked.reductions
        && !text.starts_with('{')
        && let [(_, Ok(Answer::Integer(value)))] = &partial.finish(false)[..]
    {
        let digits = text.trim_start_matches(['+', '-']).trim_start_matches('0');
        let sign = if text.starts_with('-') && !digits.is_empty() { "-" } else { "" };
        let digits = if digits.is_empty() { "0" } else { digits };
        assert_eq!(value.to_string(), format!("{sign}{digits}"));
    }
    // What its warden sends is taken by the supervisor, and counts as it is.
    let tally = Tally::from(partial);
    let bytes = tally.to_bytes();
    let taken = Tally::from_bytes(&bytes, limits::GROUPS_BYTES_MAX);
    let taken = taken.unwrap_or_else(|why| panic!("{text}: the supervisor takes it for malformed: {why:?}"));
    assert_eq!(taken.to_bytes(), bytes, "{text}");
    assert_eq!(taken.reductions(), asked.reductions);
    drop(taken.finish(false));
}
