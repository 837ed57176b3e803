//! `ping`: whether the daemon's loop turns, and how long one round trip takes. It never waits for ever.

use tally_protocol::control::Request;
use tally_protocol::error::{ErrorCode, Failure};
use tally_sys::clock;

use super::{Context, talk_to};
use crate::conversation::{Conversation, Heard, interrupted};
use crate::place::Reach;
use crate::report;
use crate::show::json::Document;
use crate::show::number;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, timeout_ms: u64) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let begun_ns = clock::monotonic_ns();
    let until_ns = begun_ns.saturating_add(timeout_ms.saturating_mul(1_000_000));
    let answered = pong(&mut talk, until_ns, timeout_ms);
    let round_trip_us = clock::monotonic_ns().saturating_sub(begun_ns) / 1_000;
    let socket = talk.client().socket().map(|socket| socket.display().to_string());
    talk.end();
    answered.map_err(|failure| report::about("ping the daemon", failure))?;
    let text = if context.style.json {
        let document = Document::new("tally.ping/1").maybe("socket", socket.as_ref());
        document.value("round_trip_us", &round_trip_us).line()
    } else {
        "pong\n".to_owned()
    };
    context.terminal.answer(&text)?;
    Ok(0)
}

fn pong(talk: &mut Conversation, until_ns: u64, timeout_ms: u64) -> Result<(), Failure> {
    talk.ask(&Request::Ping, false)?;
    match talk.hear(Some(until_ns))? {
        Heard::Reply(_) => Ok(()),
        Heard::Signal(signal) => Err(interrupted(signal, "")),
        Heard::Nothing => {
            let who = talk
                .client()
                .peer_pid()
                .map_or_else(|| "the daemon".to_owned(), |pid| format!("the daemon, process {pid},"));
            let message = format!("{who} did not answer within {}", number::duration(timeout_ms));
            Err(Failure::new(ErrorCode::TimedOut, message)
                .hint("somebody listens, but does not get to answer: it may be stopped, or very busy"))
        }
    }
}
