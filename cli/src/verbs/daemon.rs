//! `daemon`: becomes the supervisor. Everything else about it belongs to that role.

use tally_protocol::error::Failure;

use super::Context;
use crate::roles::DaemonOptions;

pub(super) fn run(context: &Context<'_, '_>, options: DaemonOptions) -> Result<u8, Failure> {
    (context.roles.daemon)(options).map(|()| 0)
}
