//! `ping`: whether the daemon's loop turns, and how long one round trip takes.

use tally_protocol::control::Request;
use tally_protocol::error::Failure;
use tally_sys::clock;

use super::{Context, answer_to, talk_to};
use crate::place::Reach;
use crate::show::json::Document;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let begun_ns = clock::monotonic_ns();
    let reply = answer_to(context, &mut talk, &Request::Ping, "ping the daemon");
    let round_trip_us = clock::monotonic_ns().saturating_sub(begun_ns) / 1_000;
    let socket = talk.client().socket().map(|socket| socket.display().to_string());
    talk.end();
    reply?;
    let text = if context.style.json {
        let document = Document::new("tally.ping/1").maybe("socket", socket.as_ref());
        document.value("round_trip_us", &round_trip_us).line()
    } else {
        "pong\n".to_owned()
    };
    context.terminal.answer(&text)?;
    Ok(0)
}
