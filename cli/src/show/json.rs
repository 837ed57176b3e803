//! JSON documents: one object on one line, its schema first, keys in a fixed order.
//!
//! Written in order rather than built as a map, which would sort the keys.

use serde_json::Value;
use tally_protocol::job::JobState;
use tally_protocol::view::JobView;

use super::answer::failure_of;
use super::template::Template;

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
}

impl Document {
    /// Begins with its schema, such as `tally.jobs/1`.
    pub(crate) fn new(schema: &str) -> Self {
        Self { text: format!("{{\"schema\":{}", Value::from(schema)) }
    }

    pub(crate) fn nested() -> Self {
        Self { text: String::from("{") }
    }

    /// Adds a key. `value` is anything the protocol knows how to write.
    pub(crate) fn value(mut self, key: &str, value: &(impl ToJson + ?Sized)) -> Self {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push_str(&format!("{}:{}", Value::from(key), value.to_json()));
        self
    }

    /// Adds a key if there is a value: what is unknown is absent.
    pub(crate) fn maybe(self, key: &str, value: Option<&(impl ToJson + ?Sized)>) -> Self {
        match value {
            Some(value) => self.value(key, value),
            None => self,
        }
    }

    /// Adds all keys of an object.
    pub(crate) fn flattened(mut self, object: &(impl ToJson + ?Sized)) -> Self {
        let inner = object.to_json();
        let inner = inner.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or_default();
        if !inner.is_empty() {
            if self.text.len() > 1 {
                self.text.push(',');
            }
            self.text.push_str(inner);
        }
        self
    }

    pub(crate) fn object(mut self) -> Raw {
        self.text.push('}');
        Raw(self.text)
    }

    /// The document as a line.
    pub(crate) fn line(self) -> String {
        let mut text = self.object().0;
        text.push('\n');
        text
    }
}

/// JSON text as it is.
#[derive(Clone, Debug)]
pub(crate) struct Raw(pub(crate) String);

/// What can be written as JSON.
pub(crate) trait ToJson {
    fn to_json(&self) -> String;
}

impl ToJson for Raw {
    fn to_json(&self) -> String {
        self.0.clone()
    }
}

/// By the protocol's own definition, whose key order is that of its fields. Its types cannot fail to be written.
macro_rules! by_protocol {
    ($($type:ty),+ $(,)?) => {
        $(impl ToJson for $type {
            fn to_json(&self) -> String {
                serde_json::to_string(self).unwrap_or_else(|_| "null".to_owned())
            }
        })+
    };
}

by_protocol!(
    str,
    String,
    bool,
    u64,
    Value,
    tally_protocol::error::Failure,
    tally_protocol::ids::JobId,
    tally_protocol::job::JobState,
    tally_protocol::job::Transport,
    tally_protocol::settings::ConfigView,
    tally_protocol::settings::ReloadView,
    tally_protocol::top::TopView,
    tally_protocol::view::JobView,
    tally_protocol::view::StatusView,
    [tally_protocol::locks::view::DeadlockView],
    [tally_protocol::locks::view::InversionView],
    [tally_protocol::locks::view::LockView],
    [tally_protocol::objects::ObjectView],
    tally_protocol::objects::ObjectChange,
    tally_protocol::objects::ObjectResult,
    [tally_protocol::view::JobView],
    [tally_protocol::view::GroupView],
    [tally_protocol::view::ResultView],
    [tally_protocol::view::WorkerView],
    [String],
);

/// A line of a template for each of a list.
pub(crate) fn lines(template: &Template, list: &(impl ToJson + ?Sized)) -> String {
    let values: Vec<Value> = serde_json::from_str(&list.to_json()).unwrap_or_default();
    values.iter().map(|one| template.line(one)).collect()
}

/// An ended job as the answer of a reduction: `tally.result/1`.
pub(crate) fn result(job: &JobView) -> String {
    outcome(Document::new("tally.result/1"), job).line()
}

/// The same as the answer to a line of a batch: `tally.batch/1`.
pub(crate) fn batch_result(number: u64, job: &JobView) -> String {
    outcome(Document::new("tally.batch/1").value("line", &number), job).line()
}

/// A line of a batch that came to no job.
pub(crate) fn batch_failure(number: u64, failure: &tally_protocol::error::Failure) -> String {
    let document = Document::new("tally.batch/1").value("line", &number);
    document.value("state", &JobState::Failed).value("error", failure).line()
}

fn outcome(document: Document, job: &JobView) -> Document {
    let processes = job.mode == "processes";
    let workers: Vec<String> = job
        .workers
        .iter()
        .map(|share| {
            let document = Document::nested().value("slot", &u64::from(share.slot.0));
            let document = document.maybe("pid", (share.pid != 0).then_some(&u64::from(share.pid)));
            let document = document.value("partitions", &share.partitions).value("elements", &share.elements);
            document.value("busy_ms", &share.busy_ms).object().0
        })
        .collect();
    let failed = (job.state != JobState::Done).then(|| failure_of(job));
    document
        .value("job", &job.job)
        .value("state", &job.state)
        .value("results", job.results.as_slice())
        .maybe("groups", job.groups.as_deref())
        .value("elements", &job.elements)
        .maybe("skipped", job.skipped.as_ref())
        .maybe("made_nan", job.made_nan.as_ref())
        .maybe("bytes", job.bytes.as_ref())
        .value("elapsed_ms", &job.elapsed_ms)
        .value("workers", &Raw(format!("[{}]", workers.join(","))))
        .value("retries", &job.retries)
        .maybe("transport", processes.then_some(&job.transport))
        .value("mode", &job.mode)
        .maybe("error", failed.as_ref())
}

/// A job as it is: `tally.job/1`.
pub(crate) fn job(job: &JobView) -> String {
    Document::new("tally.job/1").flattened(job).line()
}

/// Several jobs: `tally.jobs/1`.
pub(crate) fn jobs(jobs: &[JobView]) -> String {
    Document::new("tally.jobs/1").value("jobs", jobs).line()
}
