//! Who waits, and how waiting ends: served, out of time, gone, the object gone, the daemon ending.

use tally_protocol::ClientId;
use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{ObjectReply, ObjectResult, Word};

use super::object::State;
use super::queue::{self, Served};
use super::watch::Note;
use super::{Deed, ObjectAlarm, Objects, barrier};
use crate::moment::{Moment, Span};

impl Objects {
    /// Whether a client waits for an answer that is still to come.
    pub(crate) fn waits(&self, client: ClientId) -> bool {
        self.waiting.contains_key(&client) || self.watchers.contains(client) || self.paper.holds_for(client)
    }

    /// A client waits for an object from now on.
    pub(super) fn wait(&mut self, client: ClientId, id: u64, now: Moment, timeout_ms: Option<u64>) {
        self.waiting.insert(client, id);
        if let Some(ms) = timeout_ms {
            self.deeds.push(Deed::Alarm(ObjectAlarm::Wait(client), now + Span::ms(ms)));
        }
    }

    /// A client that waits is about to be answered.
    pub(super) fn stop_waiting(&mut self, client: ClientId) {
        if self.waiting.remove(&client).is_some() {
            self.deeds.push(Deed::Silence(ObjectAlarm::Wait(client)));
        }
    }

    /// A client has an item.
    pub(super) fn hold(&mut self, client: ClientId, id: u64, number: u64, until: Option<Moment>) {
        self.holding.entry(client).or_default().insert((id, number));
        if let Some(until) = until {
            self.deeds.push(Deed::Alarm(ObjectAlarm::Lease(id, number), until));
        }
    }

    /// A client has an item no more.
    pub(super) fn release(&mut self, client: ClientId, id: u64, number: u64, is_timed: bool) {
        if let Some(held) = self.holding.get_mut(&client) {
            held.remove(&(id, number));
            if held.is_empty() {
                self.holding.remove(&client);
            }
        }
        if is_timed {
            self.deeds.push(Deed::Silence(ObjectAlarm::Lease(id, number)));
        }
    }

    /// Serves those who wait for a queue.
    pub(super) fn serve(&mut self, id: u64, now: Moment) {
        let Some(object) = self.all.get_mut(&id) else { return };
        let keeps = object.is_kept();
        let State::Queue(queue) = &mut object.state else { return };
        if queue.getters.is_empty() && queue.putters.is_empty() {
            return;
        }
        self.pen.object = id;
        self.pen.keeps = keeps;
        let served = queue.serve(now, &mut self.pen);
        for one in served {
            self.tell_served(id, now, one);
        }
    }

    fn tell_served(&mut self, id: u64, now: Moment, served: Served) {
        let (client, word, result) = match served {
            Served::Got { getter, receipt, value } => {
                if !getter.take {
                    self.hold(getter.client, id, receipt.item, getter.lease.map(|lease| now + lease));
                }
                (getter.client, Word::Get, queue::delivered(receipt, value, getter.take))
            }
            Served::Put(client, values) => {
                let length = self.all.get(&id).map(|object| object.state.length());
                let value = values.into_iter().next_back();
                (client, Word::Put, ObjectResult { length, value, ..ObjectResult::default() })
            }
            Served::Closed(client) => {
                self.stop_waiting(client);
                let why = format!("could not wait for queue {}: it is closed", self.name_of(id));
                return self.round.answer(client, Reply::Refused(Failure::new(ErrorCode::Closed, why)));
            }
        };
        self.stop_waiting(client);
        self.changed(id);
        if self.is_watched(id) {
            self.tell_changed(id, Note { word: Some(word), ..Note::default() }, Some(&result));
        }
        let version = self.all.get(&id).map(|object| object.version);
        let value = if word == Word::Put { None } else { result.value };
        let result = Box::new(ObjectResult { version, value, ..result });
        self.round.answer(client, Reply::Object(ObjectReply::Result { result }));
    }

    /// Answers all who wait for an event, or stood at a barrier.
    pub(super) fn let_go(&mut self, id: u64, clients: Vec<ClientId>, result: impl Fn(u64) -> ObjectResult) {
        let version = self.all.get(&id).map(|object| object.version);
        for (at, client) in (0_u64..).zip(clients) {
            self.stop_waiting(client);
            let result = Box::new(ObjectResult { version, ..result(at) });
            self.round.answer(client, Reply::Object(ObjectReply::Result { result }));
        }
    }

    /// Those who stand at a barrier hear that it is broken.
    pub(super) fn send_home(&mut self, id: u64, clients: Vec<ClientId>) {
        for client in clients {
            self.stop_waiting(client);
            let why = format!("could not wait at barrier {}: {}", self.name_of(id), barrier::broken().why);
            self.round.answer(client, Reply::Refused(Failure::new(ErrorCode::BarrierBroken, why)));
        }
    }

    /// A client does not wait for an object any more, without having been served.
    fn leave(&mut self, client: ClientId, id: u64, now: Moment) {
        self.stop_waiting(client);
        let Some(object) = self.all.get_mut(&id) else { return };
        let left = match &mut object.state {
            State::Queue(queue) => {
                queue.leave(client);
                Vec::new()
            }
            State::Event(event) => {
                event.waiting.retain(|&one| one != client);
                Vec::new()
            }
            State::Barrier(barrier) => {
                let others = barrier.leave(client);
                self.changed(id);
                others
            }
            State::Value(_) | State::Dict(_) | State::List(_) | State::Stats(_) => Vec::new(),
        };
        self.send_home(id, left);
        // Those behind may fit where this one did not.
        self.serve(id, now);
        self.forget_unborn(id);
    }

    /// What was only waited for goes with the last who waited.
    pub(super) fn forget_unborn(&mut self, id: u64) {
        let unborn = |object: &super::Object| object.version == 0 && object.state.waiting().is_empty();
        if self.all.get(&id).is_some_and(unborn) {
            self.forget(id);
        }
    }

    /// A client is gone: it waits no more, and what it had comes back.
    pub(crate) fn gone(&mut self, client: ClientId, now: Moment) {
        self.watchers.remove(client);
        self.paper.forget(client);
        if let Some(&id) = self.waiting.get(&client) {
            self.leave(client, id, now);
        }
        for (id, number) in self.holding.get(&client).cloned().unwrap_or_default() {
            self.take_back(id, number, now);
        }
        for id in self.tied.get(&client).cloned().unwrap_or_default() {
            self.remove(id, "the connection that made it is gone");
        }
        self.finish(now);
    }

    /// An item comes back to its queue.
    fn take_back(&mut self, id: u64, number: u64, now: Moment) {
        let Some(object) = self.all.get_mut(&id) else { return };
        let keeps = object.is_kept();
        let State::Queue(queue) = &mut object.state else { return };
        let is_timed = queue.leased.get(&number).is_some_and(|lease| lease.until.is_some());
        self.pen.object = id;
        self.pen.keeps = keeps;
        let Some(holder) = queue.take_back(number, &mut self.pen) else { return };
        self.release(holder, id, number, is_timed);
        self.came_back(id, now);
    }

    /// Whoever waits gets what came back.
    pub(super) fn came_back(&mut self, id: u64, now: Moment) {
        self.changed(id);
        if self.is_watched(id) {
            self.tell_changed(id, Note { word: Some(Word::Return), ..Note::default() }, None);
        }
        self.serve(id, now);
    }

    /// It is time.
    pub(crate) fn due(&mut self, alarm: ObjectAlarm, now: Moment) {
        match alarm {
            ObjectAlarm::End(id) => self.end_due(id, now),
            ObjectAlarm::Wait(client) => self.wait_due(client, now),
            ObjectAlarm::Lease(id, number) => self.lease_due(id, number, now),
            ObjectAlarm::Store => self.store_due(now),
        }
        self.finish(now);
    }

    fn end_due(&mut self, id: u64, now: Moment) {
        match self.all.get(&id).and_then(|object| object.ends) {
            Some(ends) if ends > now => self.deeds.push(Deed::Alarm(ObjectAlarm::End(id), ends)),
            Some(_) => self.remove(id, "its time to live is over"),
            None => {}
        }
    }

    fn wait_due(&mut self, client: ClientId, now: Moment) {
        let Some(&id) = self.waiting.get(&client) else { return };
        let Some(object) = self.all.get(&id) else { return };
        let what = match &object.state {
            State::Queue(queue) if queue.putters.iter().any(|(one, _)| *one == client) => "for room in queue",
            State::Queue(_) => "for an item of queue",
            State::Event(_) => "for event",
            State::Barrier(_) => "at barrier",
            State::Value(_) | State::Dict(_) | State::List(_) | State::Stats(_) => "for",
        };
        let why = format!("could not wait {what} {}: timed out", object.name);
        // It may have made the object, which is on the disk then before anybody goes on.
        self.round.saw(id);
        self.leave(client, id, now);
        self.round.answer(client, Reply::Refused(Failure::new(ErrorCode::TimedOut, why)));
    }

    fn lease_due(&mut self, id: u64, number: u64, now: Moment) {
        let State::Queue(queue) = (match self.all.get(&id) {
            Some(object) => &object.state,
            None => return,
        }) else {
            return;
        };
        match queue.leased.get(&number).and_then(|lease| lease.until) {
            Some(until) if until > now => self.deeds.push(Deed::Alarm(ObjectAlarm::Lease(id, number), until)),
            Some(_) => self.take_back(id, number, now),
            None => {}
        }
    }

    /// The daemon ends: nobody will be served any more.
    pub(crate) fn send_away(&mut self, now: Moment) {
        let waiting: Vec<(ClientId, u64)> = self.waiting.iter().map(|(&client, &id)| (client, id)).collect();
        let watching = self.watchers.clients();
        let clients = waiting.iter().map(|(client, _)| *client).chain(watching.iter().copied());
        for client in clients {
            let failure = Failure::new(ErrorCode::Stopping, "could not wait: the daemon is stopping");
            self.round.answer(client, Reply::Refused(failure));
        }
        for (client, id) in waiting {
            self.stop_waiting(client);
            match self.all.get_mut(&id).map(|object| &mut object.state) {
                Some(State::Queue(queue)) => queue.leave(client),
                Some(State::Event(event)) => event.waiting.clear(),
                Some(State::Barrier(barrier)) => barrier.waiting.clear(),
                Some(State::Value(_) | State::Dict(_) | State::List(_) | State::Stats(_)) | None => {}
            }
        }
        for client in watching {
            self.watchers.remove(client);
        }
        self.finish(now);
    }
}
