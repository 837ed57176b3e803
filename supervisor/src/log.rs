//! How much is logged: a level that a reload can change while the daemon runs.

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::reload::{Handle, Layer};

/// Changes the level of the log it was made for. One of no log changes nothing.
#[derive(Debug)]
pub(crate) struct LevelSwitch<S>(Handle<LevelFilter, S>);

/// A filter for the whole of a log, and its switch.
pub(crate) fn level_filter<S: tracing::Subscriber>(level: Level) -> (Layer<LevelFilter, S>, LevelSwitch<S>) {
    let (layer, handle) = Layer::new(LevelFilter::from_level(level));
    (layer, LevelSwitch(handle))
}

impl<S> LevelSwitch<S> {
    /// Logs this much from now on.
    pub(crate) fn set(&self, level: Level) {
        if self.0.reload(LevelFilter::from_level(level)).is_err() {
            tracing::debug!("there is no log to change");
        }
    }
}
