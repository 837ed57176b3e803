//! The loop of the live view: keys, signals, answers and time in, pictures out.
//!
//! One request is under way at a time. A daemon that goes away leaves its last picture; the next one is looked for at
//! each look. Stopped (Ctrl-Z), the view gives the terminal back and asks nothing.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use tally_protocol::control::{Request, accepted, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::ids::JobId;
use tally_protocol::locks::LockRequest;
use tally_protocol::objects::ObjectRequest;
use tally_protocol::varlink::ReplyMessage;
use tally_protocol::view::JobView;
use tally_sys::poll::{Interest, Poll, Ready};
use tally_sys::process::{self, own_pid};
use tally_sys::signal::{Signal, SignalStream};
use tally_sys::tty::{self, Screen, Size};
use tally_sys::{clock, peers};

use super::cells::Frame;
use super::keys::Keys;
use super::model::Model;
use super::ui::{Deed, Mode, Pane, Ui};
use super::{frame, paint};
use crate::client::Client;
use crate::conversation::{interrupted, system};
use crate::place::Reach;

const SOCKET: usize = 0;
const SIGNALS: usize = 1;
const KEYS: usize = 2;

/// Where the size of the terminal is not known.
const SIZE: Size = Size { columns: 80, rows: 24 };
/// Bytes of keys taken in one go.
const KEYS_BYTES: usize = 1 << 10;
/// How long an answer may take before that is told.
const SLOW_NS: u64 = 3_000_000_000;

/// What was asked, and so what is to be made of the answer.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Top,
    Locks,
    Objects,
    Job(JobId),
    Reasons(JobId),
    /// Something done to a job, and its word.
    Deed(&'static str),
}

/// How the picture is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) colour: bool,
    pub(crate) ascii: bool,
}

struct View<'a> {
    reach: &'a Reach,
    style: Style,
    client: Option<Client>,
    poll: Poll,
    ready: Vec<Ready>,
    signals: SignalStream,
    screen: Screen,
    model: Model,
    ui: Ui,
    to_ask: VecDeque<(Asked, Request)>,
    /// What is under way, and since when.
    asked: Option<(Asked, u64)>,
    /// When the daemon is asked next.
    next_ns: u64,
    before: Option<Frame>,
    size: Size,
}

/// Shows the daemon until the user leaves. Ends with the exit code, or with what a signal means.
pub(crate) fn show(reach: &Reach, ui: Ui, style: Style) -> Result<u8, Failure> {
    // Before the terminal is taken: that nobody is there is told in one line.
    let client = reach.connect()?;
    let heard =
        [Signal::Int, Signal::Term, Signal::Hup, Signal::Quit, Signal::Winch, Signal::Tstp, Signal::Cont];
    let signals = SignalStream::new(&heard).map_err(|why| system("catch signals", &why))?;
    let poll = Poll::new().and_then(|poll| {
        poll.watch(&signals, SIGNALS, Interest::READ)?;
        poll.watch(io::stdin(), KEYS, Interest::READ)?;
        Ok(poll)
    });
    let poll = poll.map_err(|why| system("wait for events", &why))?;
    let screen = Screen::take(io::stdin(), io::stdout(), paint::ENTER, paint::LEAVE)
        .map_err(|why| system("use the terminal", &why))?;
    screen.give_back_on_panic();
    let mut view = View {
        reach,
        style,
        client: None,
        poll,
        ready: Vec::new(),
        signals,
        screen,
        model: Model::default(),
        ui,
        to_ask: VecDeque::new(),
        asked: None,
        next_ns: 0,
        before: None,
        size: SIZE,
    };
    view.use_client(client)?;
    view.resize();
    view.run()
}

impl View<'_> {
    fn run(&mut self) -> Result<u8, Failure> {
        let mut keys = Keys::default();
        loop {
            self.ask_what_is_due()?;
            self.draw()?;
            let left = self.wait_ns().map(Duration::from_nanos);
            self.poll.wait(left, &mut self.ready).map_err(|why| system("wait for events", &why))?;
            let readable = |key, ready: &[Ready]| ready.iter().any(|ready| ready.key == key);
            let [signals, socket, typed] = [SIGNALS, SOCKET, KEYS].map(|key| readable(key, &self.ready));
            if signals && let Some(signal) = self.heed_signals()? {
                return Err(interrupted(signal, ""));
            }
            if socket {
                self.hear()?;
            }
            if typed && !self.type_in(&mut keys)? {
                return Ok(0);
            }
        }
    }

    /// How long there is nothing to do; without end while nobody wants to know.
    fn wait_ns(&self) -> Option<u64> {
        let now = clock::monotonic_ns();
        match &self.asked {
            Some((_, since)) => {
                let slow = since.saturating_add(SLOW_NS);
                (slow > now).then(|| slow - now)
            }
            None if self.ui.frozen => None,
            None => Some(self.next_ns.saturating_sub(now)),
        }
    }

    fn ask_what_is_due(&mut self) -> Result<(), Failure> {
        let now = clock::monotonic_ns();
        if self.asked.is_none() && self.to_ask.is_empty() && !self.ui.frozen && now >= self.next_ns {
            self.next_ns = now.saturating_add(self.ui.look_every_ms().saturating_mul(1_000_000));
            self.look();
        }
        if self.asked.as_ref().is_some_and(|(_, since)| now >= since.saturating_add(SLOW_NS)) {
            self.ui.note = Some("the daemon is slow to answer".to_owned());
        }
        if self.client.is_none() && !self.to_ask.is_empty() {
            self.reconnect()?;
        }
        if self.asked.is_none()
            && let Some(client) = &mut self.client
            && let Some((asked, request)) = self.to_ask.pop_front()
        {
            self.asked = Some((asked, now));
            if client.send(&request, false).is_err() {
                self.lose();
            }
        }
        Ok(())
    }

    /// Asks for all that is on the screen, and nothing that is not.
    fn look(&mut self) {
        self.to_ask.retain(|(asked, _)| matches!(asked, Asked::Deed(_)));
        if let Mode::Detail(job) = self.ui.mode {
            self.to_ask.push_back((Asked::Job(job), Request::ShowHistory(job)));
            self.to_ask.push_back((Asked::Reasons(job), Request::Explain(job)));
            return;
        }
        let mut query = self.ui.query.clone();
        query.limit = self.lines() as u64;
        self.to_ask.push_back((Asked::Top, Request::Top(query)));
        match self.ui.pane {
            Pane::Workers => {}
            Pane::Locks => self.to_ask.push_back((Asked::Locks, Request::Lock(LockRequest::Locks))),
            Pane::Objects => self.to_ask.push_back((Asked::Objects, Request::Object(ObjectRequest::List))),
        }
    }

    /// Lines of jobs there may be at the most: how many there are is known only afterwards.
    fn lines(&self) -> usize {
        usize::from(self.size.rows).saturating_sub(4).max(1)
    }

    /// Lines of jobs that are shown now.
    fn shown_lines(&self) -> usize {
        frame::layout(self.size, &self.model, &self.ui).jobs.max(1)
    }

    fn hear(&mut self) -> Result<(), Failure> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let mut replies = Vec::new();
        let heard = client.read_more().and_then(|()| {
            while let Some(reply) = client.take_any()? {
                replies.push(reply);
            }
            Ok(())
        });
        for reply in replies {
            self.take(reply)?;
        }
        match heard {
            Ok(()) => Ok(()),
            Err(failure) if failure.code == ErrorCode::VersionMismatch => Err(failure),
            Err(_) => {
                self.lose();
                Ok(())
            }
        }
    }

    fn take(&mut self, reply: ReplyMessage) -> Result<(), Failure> {
        let Some((asked, _)) = self.asked.take() else { return Ok(()) };
        if reply.error.is_some() {
            return accepted(reply).map_or_else(|failure| self.refused(&asked, failure), |_| Ok(()));
        }
        match asked {
            Asked::Top => {
                let user = |uid| peers::user_name(uid).unwrap_or_else(|| uid.to_string());
                self.model.take(part(reply, "top")?, user);
                let lines = self.shown_lines();
                self.ui.settle(&self.model, lines);
            }
            Asked::Locks => self.model.locks = part(reply, "locks")?,
            Asked::Objects => self.model.objects = part(reply, "objects")?,
            Asked::Job(_) => {
                self.model.take_job(part::<JobView>(reply, "job")?);
                self.model.gone = None;
            }
            Asked::Reasons(job) => self.model.take_reasons(job, part(reply, "reasons")?),
            Asked::Deed(_) => self.next_ns = 0,
        }
        Ok(())
    }

    fn refused(&mut self, asked: &Asked, failure: Failure) -> Result<(), Failure> {
        match asked {
            // An older daemon knows of no such view.
            Asked::Top if !self.model.seen => {
                Err(failure.hint("the daemon must be of this version; restart it"))
            }
            Asked::Job(_) | Asked::Reasons(_) => {
                self.ui.mode = Mode::List;
                self.ui.note = Some(failure.message);
                self.to_ask.clear();
                self.next_ns = 0;
                Ok(())
            }
            Asked::Top | Asked::Locks | Asked::Objects | Asked::Deed(_) => {
                self.ui.note = Some(failure.message);
                Ok(())
            }
        }
    }

    fn use_client(&mut self, client: Client) -> Result<(), Failure> {
        let watched = self.poll.watch(&client, SOCKET, Interest::READ);
        watched.map_err(|why| system("wait for events", &why))?;
        self.client = Some(client);
        Ok(())
    }

    /// The daemon has gone: what it was asked is not asked again.
    fn lose(&mut self) {
        if let Some(client) = self.client.take() {
            drop(self.poll.forget(&client));
        }
        self.asked = None;
        self.to_ask.clear();
        self.model.lose(&time_of_day(clock::wall_ms()));
    }

    fn reconnect(&mut self) -> Result<(), Failure> {
        match self.reach.connect() {
            Ok(client) => self.use_client(client),
            Err(_) => {
                self.to_ask.clear();
                Ok(())
            }
        }
    }

    /// Whether the view goes on.
    fn type_in(&mut self, keys: &mut Keys) -> Result<bool, Failure> {
        let mut bytes = [0; KEYS_BYTES];
        let count = match io::stdin().lock().read(&mut bytes) {
            // The terminal has gone.
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => 0,
            Err(_) => return Ok(false),
        };
        for key in keys.feed(&bytes[..count]) {
            let lines = self.shown_lines();
            match self.ui.press(key, &self.model, lines) {
                Deed::Nothing | Deed::Draw => {}
                Deed::Look => self.next_ns = 0,
                Deed::Do(request, word) => self.to_ask.push_front((Asked::Deed(word), *request)),
                Deed::Quit => return Ok(false),
            }
            if self.next_ns == 0 && self.ui.frozen {
                self.look();
            }
        }
        Ok(true)
    }

    /// The signal that ends the view, if one does.
    fn heed_signals(&mut self) -> Result<Option<Signal>, Failure> {
        let pending = self.signals.pending().map_err(|why| system("read signals", &why))?;
        for signal in pending {
            match signal {
                Signal::Winch => self.resize(),
                Signal::Tstp => self.stop()?,
                // Whoever had the terminal meanwhile may have changed it.
                Signal::Cont => self.come_back()?,
                other => return Ok(Some(other)),
            }
        }
        Ok(None)
    }

    fn stop(&mut self) -> Result<(), Failure> {
        self.screen.give_back();
        process::send(own_pid(), Signal::Stop).map_err(|why| system("stop", &why))?;
        self.come_back()
    }

    fn come_back(&mut self) -> Result<(), Failure> {
        self.screen.retake().map_err(|why| system("use the terminal", &why))?;
        self.before = None;
        // Whoever brings it back looks at it.
        self.ui.focused = true;
        self.resize();
        self.next_ns = 0;
        Ok(())
    }

    fn resize(&mut self) {
        let size = tty::size(io::stdout()).unwrap_or(SIZE);
        if size != self.size {
            self.size = size;
            self.next_ns = 0;
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let after = frame::draw(&self.model, &self.ui, self.size, self.style.ascii);
        let changes = paint::paint(self.before.as_ref(), &after, self.style.colour);
        if !changes.is_empty() {
            let mut out = io::stdout().lock();
            let whole = [paint::BEGIN, &changes, paint::END].concat();
            let written = out.write_all(whole.as_bytes()).and_then(|()| out.flush());
            written.map_err(|why| system("draw", &why))?;
        }
        self.before = Some(after);
        Ok(())
    }
}

/// `12:03:11`, in UTC: the time zone of a terminal far away is nobody's.
fn time_of_day(unix_ms: u64) -> String {
    let s = unix_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02} UTC", s / 3_600, s / 60 % 60, s % 60)
}
