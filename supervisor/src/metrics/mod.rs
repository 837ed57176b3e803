//! Metrics: counters and figures as OpenMetrics text, over the control socket and, when configured, over HTTP.
//!
//! Nothing here decides anything. Serving a scraper costs the loop no wait and no memory beyond its bounds.

pub(crate) mod figures;
pub(crate) mod histogram;
pub(crate) mod http;
mod machine;
pub(crate) mod scrapers;
mod text;
