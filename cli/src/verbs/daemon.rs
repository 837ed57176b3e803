//! `daemon`: becomes the supervisor. Everything else about it belongs to that role.

use super::Context;
use crate::roles::DaemonOptions;

pub(super) fn run(context: &Context<'_, '_>, options: DaemonOptions) -> u8 {
    (context.roles.daemon)(options)
}
