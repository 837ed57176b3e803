//! `daemon`: becomes the supervisor. Everything else about it belongs to that role.

use tally_protocol::error::Failure;

use super::{Context, config};
use crate::roles::{DaemonOptions, SettingsOptions};

pub(super) fn run(context: &mut Context<'_, '_>, options: DaemonOptions) -> Result<u8, Failure> {
    if !options.check {
        return (context.roles.daemon)(options).map(|()| 0);
    }
    let sources = SettingsOptions {
        config: options.config.clone(),
        flags: options.flags(),
        ..SettingsOptions::default()
    };
    let reading = (context.roles.settings)(&sources);
    if context.style.json && !reading.faults.is_empty() {
        return config::check(context, &reading);
    }
    (context.roles.daemon)(options)?;
    config::check(context, &reading)
}
