//! Who a client is and what it may do.

use tally_protocol::ClientId;

use crate::Machine;
use crate::clients::{Client, Pending};

/// Whom a connection belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The user, as the system says.
    pub uid: u32,
    /// What that user may do here.
    pub rights: Rights,
}

/// What a client may do. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rights {
    /// Its own jobs; nothing is known of others'.
    Own,
    /// It sees the jobs of others, too.
    Read,
    /// Everything: others' jobs, stop, drain, reload.
    Operate,
}

impl Machine {
    /// A client connected.
    pub(crate) fn client_came(&mut self, client: ClientId, who: Who) {
        self.clients.entry(client).or_insert(Client { who, pending: Pending::Nothing });
    }

    /// Who a client is that was not announced.
    pub(crate) fn nobody(&self) -> Who {
        let rights = if self.settings.trusting { Rights::Operate } else { Rights::Own };
        Who { uid: self.settings.identity.uid, rights }
    }
}
