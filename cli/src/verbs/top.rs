//! `top`: the daemon as it works, on a terminal; or one look at it as text or JSON, or a look each interval as JSON lines.

use std::io::{self, IsTerminal as _};

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::limits::TOP_JOBS_MAX;
use tally_protocol::locks::LockRequest;
use tally_protocol::locks::view::LockView;
use tally_protocol::objects::{ObjectRequest, ObjectView};
use tally_protocol::top::{TopQuery, TopView};
use tally_sys::{clock, tty};

use super::{Context, answer_to, jobs, talk_to};
use crate::conversation::{Conversation, interrupted};
use crate::place::Reach;
use crate::show::json::Document;
use crate::top::screen::{self, Style};
use crate::top::{Model, Ui, plain};

/// Columns of one look where no terminal says how many.
const COLUMNS: u16 = 80;

/// What is looked at, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) query: TopQuery,
    pub(crate) interval_ms: u64,
    /// One look as text, whatever standard output is.
    pub(crate) once: bool,
    /// With JSON: a line each interval.
    pub(crate) watch: bool,
    /// Columns, where the user says how many.
    pub(crate) columns: Option<u16>,
    pub(crate) ascii: bool,
    /// The terminal moves no cursor.
    pub(crate) dumb: bool,
}

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, look: &Look) -> Result<u8, Failure> {
    let query = TopQuery { limit: TOP_JOBS_MAX as u64, ..look.query.clone() };
    if context.style.json {
        return json(context, reach, look, &query);
    }
    let ui = Ui::new(query.clone(), look.interval_ms);
    let can_draw = !look.dumb && io::stdin().is_terminal() && io::stdout().is_terminal();
    if !look.once && can_draw {
        let style = Style { colour: context.terminal.is_coloured(), ascii: look.ascii };
        return screen::show(reach, ui, style);
    }
    let mut talk = talk_to(reach.connect()?)?;
    let seen = ask(context, &mut talk, &query);
    talk.end();
    let (top, locks, objects) = seen?;
    // Behind all that can fail: the first line of an error stands alone.
    if !look.once {
        context.terminal.note("tally: nothing can be drawn here: this is one look\n");
    }
    let mut model = Model::default();
    model.take(top, jobs::user);
    (model.locks, model.objects) = (locks, objects);
    let columns = look.columns.or_else(|| tty::size(io::stdout()).map(|size| size.columns));
    context.terminal.answer(&plain(&model, &ui, columns.unwrap_or(COLUMNS), look.ascii))?;
    Ok(0)
}

type Seen = (TopView, Vec<LockView>, Vec<ObjectView>);

fn ask(context: &mut Context<'_, '_>, talk: &mut Conversation, query: &TopQuery) -> Result<Seen, Failure> {
    let doing = "look at the daemon";
    let top = part(answer_to(context, talk, &Request::Top(query.clone()), doing)?, "top")?;
    let locks = part(answer_to(context, talk, &Request::Lock(LockRequest::Locks), doing)?, "locks")?;
    let objects = part(answer_to(context, talk, &Request::Object(ObjectRequest::List), doing)?, "objects")?;
    Ok((top, locks, objects))
}

/// One object, or one line each interval until somebody ends it or nobody reads it.
fn json(context: &mut Context<'_, '_>, reach: &Reach, look: &Look, query: &TopQuery) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    loop {
        let begun = clock::monotonic_ns();
        let (top, locks, objects) = ask(context, &mut talk, query)?;
        let document = Document::new("tally.top/1").flattened(&top);
        let document = document.value("locks", locks.as_slice()).value("objects", objects.as_slice());
        context.terminal.answer(&document.line())?;
        if !look.watch || context.terminal.answer_is_unread() {
            talk.end();
            return Ok(0);
        }
        let until = begun.saturating_add(look.interval_ms.saturating_mul(1_000_000));
        if let Some(signal) = talk.rest(until)? {
            return Err(interrupted(signal, ""));
        }
    }
}
