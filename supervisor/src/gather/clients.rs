//! What clients say: connections, calls, hang-ups.

use tally_machine::Event;
use tally_protocol::control::{BadCall, INTERFACE, Passed, Reply, Request, SERVICE_INTERFACE};
use tally_protocol::error::Failure;
use tally_protocol::objects::{ObjectReply, QuickReply};
use tally_protocol::varlink::{self, Call, ReplyMessage, Unreadable};
use tally_protocol::{ClientId, version};
use tally_sys::poll::{Interest, Ready};
use tally_sys::{clock, socket};

use crate::client::{Fate, Input};
use crate::clients::Admission;
use crate::token::Token;
use crate::turn::Supervisor;

/// Connections taken in one turn, so that a flood of them cannot keep the workers waiting.
const ACCEPTS_PER_TURN: usize = 64;

impl Supervisor {
    pub(crate) fn gather_connections(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok(Some(stream)) => self.admit(stream),
                Ok(None) => return,
                Err(why) if socket::is_out_of_descriptors(&why) => {
                    tracing::warn!("could not accept a client: {why}; waiting for one to go");
                    self.pause_accept();
                    return;
                }
                Err(why) => {
                    tracing::warn!("could not accept a client: {why}");
                    return;
                }
            }
        }
    }

    /// The poll would report the waiting connection for ever: look away until a descriptor is free.
    fn pause_accept(&mut self) {
        if let Some(listener) = &self.listener {
            self.accept_paused = self.poll.change(listener, Token::Listener.key(), Interest::NONE).is_ok();
        }
    }

    fn resume_accept(&mut self) {
        if self.scrapers.paused {
            self.watch_door(true);
        }
        if let Some(listener) = &self.listener
            && self.accept_paused
        {
            self.accept_paused = self.poll.change(listener, Token::Listener.key(), Interest::READ).is_err();
        }
    }

    pub(crate) fn admit(&mut self, stream: std::os::unix::net::UnixStream) {
        let machine = &self.machine;
        let may_go = |id| !machine.is_locker(id);
        let id = match self.clients.admit(stream, clock::monotonic_ns(), may_go) {
            Admission::In(id) => id,
            Admission::InFor(id, quiet) => {
                self.client_gone(quiet);
                id
            }
            Admission::Refused(stream, why) => {
                self.chronicle.refused(&why.message);
                turn_away(&stream, why);
                return;
            }
        };
        let Some(client) = self.clients.get_mut(id) else { return };
        if let Err(why) = self.poll.watch(&*client, Token::Client(id).key(), client.watched) {
            tracing::warn!("could not watch a client: {why}");
            self.clients.remove(id);
            return;
        }
        // Before anything it says.
        self.events.push_back(Event::ClientCame { client: id, who: client.who });
    }

    pub(crate) fn gather_client(&mut self, id: ClientId, ready: Ready) {
        let Some(client) = self.clients.get_mut(id) else { return };
        // Both directions are closed: whatever it sent before, it can read no answer.
        if ready.hangup {
            self.client_gone(id);
            return;
        }
        let mut fate = Fate::Stays;
        if ready.writable {
            fate = client.write();
        }
        if ready.readable && fate == Fate::Stays {
            fate = client.read(clock::monotonic_ns(), &mut self.buffer);
        }
        self.go_on(id, fate);
    }

    /// After reading or writing: the client may have a request for us, or may have to go.
    pub(crate) fn go_on(&mut self, id: ClientId, fate: Fate) {
        if fate == Fate::Stays && self.clients.charge(id) {
            self.asking.insert(id);
        } else {
            self.client_gone(id);
        }
    }

    pub(crate) fn client_gone(&mut self, id: ClientId) {
        let Some(client) = self.clients.remove(id) else { return };
        if let Err(why) = self.poll.forget(&client) {
            tracing::error!("could not stop watching a client: {why}");
        }
        drop(client);
        self.resume_accept();
        if self.private {
            self.send_forkserver_away();
        }
        self.events.push_back(Event::ClientGone { client: id });
    }

    /// Takes one request of a client, if a whole one waits and the last one is answered.
    pub(crate) fn next_request(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if client.wants_to_go_on() {
            self.feed(Event::ClientCalls { client: id });
            return;
        }
        let message = match client.next_input() {
            Input::Nothing => {
                // Once its replies are sent, the poll may have nothing new to watch for.
                if !self.unsent.contains(&id) {
                    self.watch_client(id);
                }
                return;
            }
            Input::Quick(call) => {
                let request = Request::Object(call.request);
                return self.feed(Event::ClientSaid { client: id, request, more: call.more });
            }
            Input::Garbage(why) => ReplyMessage {
                error: Some("org.varlink.service.InvalidParameter".to_owned()),
                parameters: [("parameter".to_owned(), why.to_string().into())].into_iter().collect(),
                continues: false,
            },
            Input::Call(call) => match self.answer_here(&call) {
                Some(message) => message,
                None => match self.request(id, call) {
                    Ok(event) => {
                        self.tell_request(&event);
                        self.feed(event);
                        // It may give way to the one behind it, which is here already.
                        self.asking.insert(id);
                        return;
                    }
                    Err(bad) => bad.to_message(),
                },
            },
        };
        self.reply(id, &message);
    }

    fn request(&mut self, id: ClientId, call: Call) -> Result<Event, BadCall> {
        let named = files_named(&call);
        let handed = self.clients.get_mut(id).map(|client| client.take_handed(named)).unwrap_or_default();
        let passed = match call.method.as_str() {
            "io.tally.Submit" | "io.tally.Start" => self.files.take_in(handed).map_err(BadCall::Meaning)?,
            _ => Passed::default(),
        };
        let set = passed.set;
        if set != 0 && self.files.are_many() {
            // Here, as nothing is on its way to the machine: sets of jobs that it refused are left by now.
            let needed = self.machine.file_sets();
            self.files.keep_only(|kept| kept == set || needed.contains(&kept));
        }
        let mut request = Request::from_call_with(call, passed).inspect_err(|_| self.files.drop_set(set))?;
        self.introduce(id, &mut request);
        let more = self.clients.get_mut(id).is_some_and(|client| client.wants_more());
        Ok(Event::ClientSaid { client: id, request, more })
    }

    /// The service interface describes the daemon; it has no part in any decision.
    fn answer_here(&self, call: &Call) -> Option<ReplyMessage> {
        let takes: &[&str] = match call.method.as_str() {
            "org.varlink.service.GetInterfaceDescription" => &["interface"],
            _ => &[],
        };
        let strange = call.parameters.keys().find(|name| !takes.contains(&name.as_str()));
        if let (Some(name), true) = (strange, call.method.starts_with("org.varlink.service.Get")) {
            return Some(BadCall::Parameter(name.clone()).to_message());
        }
        let parameters = match call.method.as_str() {
            "org.varlink.service.GetInfo" => serde_json::json!({
                "vendor": "tally",
                "product": "tally",
                "version": version::PROGRAM,
                "url": "https://varlink.org",
                "interfaces": ["org.varlink.service", "io.tally"],
            }),
            "org.varlink.service.GetInterfaceDescription" => {
                let wanted = call.parameters.get("interface").and_then(|name| name.as_str());
                let description = match wanted {
                    Some("io.tally") => INTERFACE,
                    Some("org.varlink.service") => SERVICE_INTERFACE,
                    Some(other) => return Some(BadCall::Interface(other.to_owned()).to_message()),
                    None => return Some(BadCall::Parameter("interface".to_owned()).to_message()),
                };
                serde_json::json!({ "description": description })
            }
            method if method.starts_with("org.varlink.service.") => {
                return Some(BadCall::Method(method.to_owned()).to_message());
            }
            _ => return None,
        };
        let serde_json::Value::Object(parameters) = parameters else { return None };
        Some(ReplyMessage { error: None, parameters, continues: false })
    }

    /// Queues a reply, which goes out when the turn's requests are done; the client's next one may be waiting.
    pub(crate) fn reply(&mut self, id: ClientId, message: &ReplyMessage) {
        self.reply_with(id, message.continues, |out| varlink::encode(message, out));
    }

    /// The same for answers about objects, of which there may be very many.
    pub(crate) fn reply_quickly(&mut self, id: ClientId, reply: &ObjectReply, continues: bool) {
        self.reply_with(id, continues, |out| varlink::encode(&QuickReply::new(reply, continues), out));
    }

    fn reply_with(
        &mut self,
        id: ClientId,
        continues: bool,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), Unreadable>,
    ) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if self.one_request && !continues {
            client.close_when_sent();
        }
        let fate = client.reply(continues, encode);
        if client.is_unsent() {
            self.unsent.insert(id);
        }
        self.go_on(id, fate);
    }

    /// Sends what was queued for clients.
    pub(crate) fn flush_clients(&mut self) {
        for id in std::mem::take(&mut self.unsent) {
            let Some(client) = self.clients.get_mut(id) else { continue };
            let fate = client.write();
            if fate == Fate::Stays && self.clients.charge(id) {
                self.watch_client(id);
            } else {
                self.client_gone(id);
            }
        }
    }

    /// Tells the poll what to watch a client for, where that has changed.
    fn watch_client(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let interest = client.interest();
        if interest == client.watched {
            return;
        }
        client.watched = interest;
        if let Err(why) = self.poll.change(&*client, Token::Client(id).key(), interest) {
            tracing::warn!("could not watch a client: {why}");
            self.client_gone(id);
        }
    }
}

/// How many descriptors a call says that it has with it.
fn files_named(call: &Call) -> usize {
    let request = call.parameters.get("request");
    let named = |key: &str| request.and_then(|request| request.get(key));
    match named("files").and_then(serde_json::Value::as_bool) {
        Some(true) => named("sources").and_then(serde_json::Value::as_array).map_or(0, Vec::len),
        Some(false) | None => 0,
    }
}

/// Says why in one write that never waits, and closes.
fn turn_away(stream: &std::os::unix::net::UnixStream, failure: Failure) {
    let mut bytes = Vec::new();
    if varlink::encode(&Reply::Refused(failure).to_message(false), &mut bytes).is_ok() {
        drop(tally_sys::fd::write_some(stream, &bytes));
    }
}
