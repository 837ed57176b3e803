//! From ready descriptors to events. Nothing is decided here.

mod children;
mod clients;
mod house;
pub(crate) mod input;
mod links;
mod scrapers;
mod signals;

use tally_sys::poll::Ready;

use crate::token::Token;
use crate::turn::Supervisor;

impl Supervisor {
    /// Reads one ready source.
    pub(crate) fn gather(&mut self, token: Token, ready: Ready) {
        match token {
            Token::Signals => self.gather_signals(),
            Token::Store => self.gather_store(),
            Token::Answers => self.gather_answers(),
            Token::Listener => self.gather_connections(),
            Token::Forkserver => self.gather_forkserver(),
            Token::Client(client) => self.gather_client(client, ready),
            Token::Exit(worker) => self.gather_exit(worker),
            Token::Lifeline(worker) => self.gather_lifeline(worker),
            Token::Doorbell(worker) => self.answer_doorbell(worker),
            Token::Stderr(worker) => self.gather_stderr(worker),
            Token::Door => self.gather_scrapers(),
            Token::Trial => self.gather_trial(),
            Token::Input => self.gather_input(),
            Token::Scraper(scraper) => self.gather_scraper(scraper),
        }
    }
}
