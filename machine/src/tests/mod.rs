//! The rules, told one by one: events in, actions compared.
use crate::action::Profile;
use crate::settings::Settings;
use tally_protocol::job::{StartMethod, Transport};

/// Settings with so many slots.
pub(crate) fn settings(slots: u16) -> Settings {
    Settings::new(
        slots,
        Profile {
            transport: Transport::Shm,
            start: StartMethod::Forkserver,
            nice: 0,
            memory_limit_bytes: None,
        },
    )
}
