//! From the state of a whole job to the answers that people read, the same in a daemon and in a process of its own.

use tally_reduce::{Finished, KeyPart, Tally};

use crate::error::{ErrorCode, Failure};
use crate::source::Source;
use crate::view::{GroupView, ResultView};

/// All that a job came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// In the order asked; none if they come in groups.
    pub results: Vec<ResultView>,
    /// By their keys, where they come in groups.
    pub groups: Option<Vec<GroupView>>,
    /// Elements folded.
    pub elements: u64,
    /// Elements left out.
    pub skipped: u64,
    /// Values made a NaN.
    pub made_nan: u64,
}

impl Answers {
    /// The answers that a state has.
    ///
    /// # Errors
    /// `NoAnswer`, of the first reduction that has none, with its group.
    pub fn of(tally: &Tally, population: bool) -> Result<Self, Failure> {
        let results = tally.finish(population).iter().map(view).collect::<Result<_, _>>()?;
        let found = tally.groups(population);
        let mut groups = found.as_ref().map(|_| Vec::new());
        for group in found.unwrap_or_default() {
            let key: Vec<String> = group.key.iter().map(text).collect();
            let results =
                group.answers.iter().map(view).collect::<Result<_, Failure>>().map_err(|failure| {
                    let message = format!("{} (group {})", failure.message, key.join(", "));
                    Failure { message, ..failure }
                })?;
            groups.get_or_insert_default().push(GroupView { key, results });
        }
        let (elements, skipped, made_nan) = (tally.elements(), tally.skipped(), tally.made_nan());
        Ok(Self { results, groups, elements, skipped, made_nan })
    }

    /// The same with the places of least and greatest elements as people find them in this source.
    #[must_use]
    pub fn located(mut self, source: &Source) -> Self {
        let of_groups = self.groups.iter_mut().flatten().flat_map(|group| &mut group.results);
        for result in self.results.iter_mut().chain(of_groups) {
            if let Some(site) = result.place.take().and_then(|place| source.locate(place)) {
                (result.index, result.file, result.row) = (site.element, site.file, site.row);
            }
        }
        self
    }

    /// Bytes of memory that they take, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let group = |group: &GroupView| {
            size_of::<GroupView>() + group.key.iter().map(String::len).sum::<usize>() + texts(&group.results)
        };
        texts(&self.results) + self.groups.iter().flatten().map(group).sum::<usize>()
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

fn view(finished: &Finished) -> Result<ResultView, Failure> {
    match &finished.answer {
        Ok(answer) => Ok(ResultView {
            place: finished.first,
            ..ResultView::new(finished.reduction.name(), answer.kind(), answer.to_string())
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
