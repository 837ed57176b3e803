//! Signals become events, once, here.

use tally_machine::Event;
use tally_sys::signal::Signal;

use crate::turn::Supervisor;

impl Supervisor {
    pub(crate) fn gather_signals(&mut self) {
        let signals = match self.signals.pending() {
            Ok(signals) => signals,
            Err(why) => {
                tracing::error!("could not read signals: {why}");
                return;
            }
        };
        for signal in signals {
            match signal {
                Signal::Term | Signal::Int => {
                    self.no_successor();
                    tracing::info!(
                        "{signal}: stopping; open jobs may end within the drain time, a second signal ends at once"
                    );
                    self.feed(Event::StopRequested);
                }
                Signal::Quit => {
                    self.no_successor();
                    tracing::info!("{signal}: stopping at once");
                    self.feed(Event::StopNow);
                }
                Signal::Hup => {
                    tracing::info!("{signal}: reading the configuration again");
                    // What came of it is in the log.
                    self.reload().ok();
                }
                Signal::Usr1 => {
                    let state = self.machine.dump(self.now());
                    tracing::info!("state: {state}");
                }
                Signal::Chld => self.strays = true,
                other => tracing::warn!("{other}: not expected"),
            }
        }
        self.reap_strays();
    }
}
