//! From the state of a whole job to the answers that people read, the same in a daemon and in a process of its own.

use tally_reduce::{Finished, KeyPart, Tally};

use crate::error::{ErrorCode, Failure};
use crate::view::{GroupView, ResultView};

/// All that a job came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// In the order asked; none if they come in groups.
    pub results: Vec<ResultView>,
    /// By their keys.
    pub groups: Vec<GroupView>,
    /// Elements folded.
    pub elements: u64,
    /// Elements left out.
    pub skipped: u64,
}

impl Answers {
    /// The answers that a state has.
    ///
    /// # Errors
    /// `NoAnswer`, of the first reduction that has none, with its group.
    pub fn of(tally: &Tally, population: bool) -> Result<Self, Failure> {
        let results = tally.finish(population).iter().map(view).collect::<Result<_, _>>()?;
        let mut groups = Vec::new();
        for group in tally.groups(population).unwrap_or_default() {
            let key: Vec<String> = group.key.iter().map(text).collect();
            let results =
                group.answers.iter().map(view).collect::<Result<_, Failure>>().map_err(|failure| {
                    let message = format!("{} (group {})", failure.message, key.join(", "));
                    Failure { message, ..failure }
                })?;
            groups.push(GroupView { key, results });
        }
        Ok(Self { results, groups, elements: tally.elements(), skipped: tally.skipped() })
    }

    /// Bytes of memory that they take, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let group = |group: &GroupView| {
            size_of::<GroupView>() + group.key.iter().map(String::len).sum::<usize>() + texts(&group.results)
        };
        texts(&self.results) + self.groups.iter().map(group).sum::<usize>()
    }

    /// The answers that there are of a part of a job, which may be too small for some; groups are left out.
    #[must_use]
    pub fn of_part(tally: &Tally, population: bool) -> Vec<ResultView> {
        tally.finish(population).iter().filter_map(|finished| view(finished).ok()).collect()
    }
}

fn texts(results: &[ResultView]) -> usize {
    results.iter().map(|result| size_of::<ResultView>() + result.value.len()).sum()
}

fn view((reduction, answer): &Finished) -> Result<ResultView, Failure> {
    match answer {
        Ok(answer) => Ok(ResultView {
            reduction: reduction.name().to_owned(),
            kind: answer.kind().to_owned(),
            value: answer.to_string(),
        }),
        Err(why) => Err(Failure::new(ErrorCode::NoAnswer, format!("could not compute {why}"))),
    }
}

/// A part of a key as people read it; what is not UTF-8 is mended.
fn text(part: &KeyPart) -> String {
    match part {
        KeyPart::Integer(value) => value.to_string(),
        KeyPart::Text(text) => String::from_utf8_lossy(text).into_owned(),
    }
}
