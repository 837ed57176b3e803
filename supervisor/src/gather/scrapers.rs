//! Scrapers of metrics: they come, ask, are answered, or are cut.

use tally_sys::poll::Interest;
use tally_sys::{clock, socket};

use crate::metrics::http;
use crate::metrics::scrapers::{Door, Heard, Scrapers};
use crate::token::Token;
use crate::turn::Supervisor;

/// Scrapers taken in one turn.
const ACCEPTS_PER_TURN: usize = 8;

impl Supervisor {
    /// Lets scrapers in, too.
    pub(crate) fn open_metrics_door(&mut self, door: Option<Door>) -> std::io::Result<()> {
        if let Some(door) = &door {
            self.poll.watch(door, Token::Door.key(), Interest::READ)?;
            tracing::info!("metrics at {}", door.address());
        }
        self.scrapers = Scrapers::behind(door);
        Ok(())
    }

    pub(crate) fn gather_scrapers(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.scrapers.admit(clock::monotonic_ns()) {
                Ok(None) => return,
                Ok(Some((id, oldest))) => {
                    if let Some(oldest) = oldest {
                        self.cut_scraper(oldest);
                    }
                    let Some(scraper) = self.scrapers.get_mut(id) else { continue };
                    if self.poll.watch(&*scraper, Token::Scraper(id).key(), scraper.interest()).is_err() {
                        self.scrapers.remove(id);
                    }
                }
                // The connection waits at the door: the oldest scraper makes room, or the door waits, too.
                Err(why) if socket::is_out_of_descriptors(&why) => {
                    match self.scrapers.oldest() {
                        Some(oldest) => self.cut_scraper(oldest),
                        None => self.watch_door(false),
                    }
                    return;
                }
                Err(why) => {
                    tracing::debug!("could not accept a scraper: {why}");
                    return;
                }
            }
        }
    }

    pub(crate) fn gather_scraper(&mut self, id: u64) {
        let Some(scraper) = self.scrapers.get_mut(id) else { return };
        let before = scraper.interest();
        if !scraper.is_answered() {
            match scraper.read(&mut self.buffer) {
                Heard::Nothing => return,
                Heard::Over => return self.cut_scraper(id),
                Heard::Asks(answer) => {
                    let bytes = http::write(answer, || self.metrics_text());
                    let Some(scraper) = self.scrapers.get_mut(id) else { return };
                    scraper.answer(bytes);
                }
            }
        }
        let Some(scraper) = self.scrapers.get_mut(id) else { return };
        let goes_on = scraper.write();
        let after = scraper.interest();
        if !goes_on
            || (after != before && self.poll.change(&*scraper, Token::Scraper(id).key(), after).is_err())
        {
            self.cut_scraper(id);
        }
    }

    /// Looks at the door again, or away from it.
    pub(crate) fn watch_door(&mut self, open: bool) {
        let Some(door) = self.scrapers.door() else { return };
        let interest = if open { Interest::READ } else { Interest::NONE };
        if self.poll.change(door, Token::Door.key(), interest).is_ok() {
            self.scrapers.paused = !open;
        }
    }

    /// Cuts those whose time is over.
    pub(crate) fn cut_slow_scrapers(&mut self) {
        if self.scrapers.oldest().is_some() {
            for id in self.scrapers.overdue(clock::monotonic_ns()) {
                self.cut_scraper(id);
            }
        }
    }

    fn cut_scraper(&mut self, id: u64) {
        if let Some(scraper) = self.scrapers.remove(id)
            && let Err(why) = self.poll.forget(&scraper)
        {
            tracing::error!("could not stop watching a scraper: {why}");
        }
    }

    /// No more scrapers; a socket file goes with its door.
    pub(crate) fn close_metrics_door(&mut self) {
        let Some(door) = self.scrapers.take_door() else { return };
        drop(self.poll.forget(&door));
        door.close();
    }
}
