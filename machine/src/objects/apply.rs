//! What operations do: conditions and rights first, then the change, alone or as a part of a transaction.
//!
//! A transaction waits for nothing. When one of its operations cannot be done, all before it are taken back, step by
//! step; who waits for one of its objects is served when all is done.

use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{
    BarrierVerb, Creation, EventVerb, Lifetime, ObjectKind, ObjectReply, ObjectResult, Operation, QueueVerb,
    Verb,
};

use super::fault::{Fault, late, wrong};
use super::object::{Object, State, cost, doing};
use super::pen::Undo;
use super::queue::{self, Getter};
use super::watch::Note;
use super::{Objects, Scene, no_such, not_permitted, stats, value};
use crate::moment::{Moment, Span};

/// What became of an operation.
enum Acted {
    /// It is done, and has changed the object.
    Changed(ObjectResult),
    /// It is done, and has changed nothing.
    Looked(ObjectResult),
    /// Its client waits.
    Waits,
}

/// How an operation is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// By itself; it may wait, for so long at the most.
    Alone(Option<u64>),
    /// With others.
    Transaction,
}

impl Manner {
    fn may_wait(self) -> bool {
        match self {
            Self::Alone(timeout_ms) => timeout_ms != Some(0),
            Self::Transaction => false,
        }
    }
}

/// A change that watchers are to be told of.
type Noted = (u64, Note, ObjectResult);

impl Objects {
    pub(super) fn operate(&mut self, scene: Scene, operation: Operation) {
        let manner = Manner::Alone(operation.timeout_ms);
        let mut noted = Vec::new();
        match self.step(scene, operation, manner, &mut noted) {
            Ok(Some(result)) => {
                let reply = ObjectReply::Result { result: Box::new(result) };
                self.round.answer(scene.client, Reply::Object(reply));
                self.follow(scene.now, noted);
            }
            Ok(None) => self.follow(scene.now, noted),
            Err(failure) => self.round.answer(scene.client, Reply::Refused(failure)),
        }
    }

    pub(super) fn transact(&mut self, scene: Scene, operations: Vec<Operation>) {
        let count = operations.len();
        let mut noted = Vec::new();
        self.pen.transacts = true;
        let mut results = Vec::with_capacity(count);
        let mut failed = None;
        for (number, operation) in (1..).zip(operations) {
            match self.step(scene, operation, Manner::Transaction, &mut noted) {
                Ok(result) => results.push(result.unwrap_or_default()),
                Err(failure) => {
                    failed = Some((number, failure));
                    break;
                }
            }
        }
        self.pen.transacts = false;
        if let Some((number, mut failure)) = failed {
            self.take_back_all(scene);
            failure.message = format!("{} (operation {number} of {count}; none is done)", failure.message);
            return self.round.answer(scene.client, Reply::Refused(failure));
        }
        self.pen.steps.clear();
        self.round.answer(scene.client, Reply::Object(ObjectReply::Results { results }));
        self.follow(scene.now, noted);
    }

    /// Tells those who watch, and serves those who wait for what has changed.
    fn follow(&mut self, now: Moment, noted: Vec<Noted>) {
        for (id, note, result) in noted {
            self.tell_changed(id, note, Some(&result));
        }
        let mut at = 0;
        while let Some(&id) = self.round.touched.get(at) {
            at += 1;
            self.serve(id, now);
            if let Some(Object { state: State::Event(event), .. }) = self.all.get_mut(&id)
                && event.set
            {
                let clients = std::mem::take(&mut event.waiting).into();
                self.let_go(id, clients, |_| ObjectResult { set: Some(true), ..ObjectResult::default() });
            }
        }
    }

    /// One operation. `None` if its client waits.
    fn step(
        &mut self,
        scene: Scene,
        operation: Operation,
        manner: Manner,
        noted: &mut Vec<Noted>,
    ) -> Result<Option<ObjectResult>, Failure> {
        let note = self.note_for(&operation.object, &operation.verb);
        let doing = doing(&operation.verb);
        let (id, fresh) = match self.names.get(&operation.object) {
            Some(&id) => {
                self.shape(scene, id, &operation)?;
                self.admit(scene, id, &operation)?;
                (id, false)
            }
            None => match self.begin(scene, &operation)? {
                Some(id) => (id, true),
                None => return Ok(Some(ObjectResult::default())),
            },
        };
        self.round.saw(id);
        let acted = self.act(scene, id, operation.verb, fresh, manner);
        let fault = match acted {
            Ok(Acted::Waits) => return Ok(None),
            Ok(Acted::Looked(mut result)) => {
                result.version = self.all.get(&id).map(|object| object.version);
                return Ok(Some(result));
            }
            Ok(Acted::Changed(mut result)) => {
                result.version = Some(self.changed(id));
                if let Some(note) = note {
                    noted.push((id, note, result.clone()));
                }
                return Ok(Some(result));
            }
            Err(fault) => fault,
        };
        let kind = self.all.get(&id).map_or("object", |object| object.state.kind().name());
        let message = format!("could not {doing} {kind} {}: {}", operation.object, fault.why);
        if fresh && manner != Manner::Transaction {
            self.forget(id);
        }
        Err(Failure::new(fault.code, message))
    }

    /// What is only waited for holds nothing yet. Its owner may say how it is to be as long as nobody has: a consumer
    /// that comes first must not know what the producer asks for.
    fn shape(&mut self, scene: Scene, id: u64, operation: &Operation) -> Result<(), Failure> {
        let Operation { object: name, verb, creation: Some(creation), .. } = operation else { return Ok(()) };
        let Some(object) = self.all.get_mut(&id) else { return Ok(()) };
        if object.version != 0 || object.uid != scene.who.uid || !verb.makes() {
            return Ok(());
        }
        if creation.lifetime == Some(Lifetime::Persistent) && object.lifetime == Lifetime::default() {
            let refuse = |why| Failure::new(ErrorCode::StoreFailed, format!("could not make {name}: {why}"));
            self.paper.can_keep().map_err(refuse)?;
        }
        if object.shape(creation, scene.client) {
            self.tied.entry(scene.client).or_default().insert(id);
        }
        Ok(())
    }

    /// Whether an operation may be done to an object that is there.
    fn admit(&self, scene: Scene, id: u64, operation: &Operation) -> Result<(), Failure> {
        let Some(object) = self.all.get(&id) else { return Err(no_such(&operation.object)) };
        let Operation { verb, if_version, creation, .. } = operation;
        let reads = verb.reads();
        if !object.lets(scene.who, reads) {
            return Err(not_permitted(doing(verb), &object.name, object.uid, scene.who));
        }
        let refuse = |code, why: String| {
            let (doing, name) = (doing(verb), &object.name);
            Err(Failure::new(code, format!("could not {doing} {name}: {why}")))
        };
        let kind = object.state.kind();
        if verb.kind().is_some_and(|wanted| wanted != kind) {
            let wanted = verb.kind().map(|kind| kind.one()).unwrap_or_default();
            return refuse(ErrorCode::WrongState, format!("it is {}, not {wanted}", kind.one()));
        }
        if if_version.is_some_and(|version| version != object.version) {
            let version = if_version.unwrap_or_default();
            return refuse(ErrorCode::Conflict, format!("its version is {}, not {version}", object.version));
        }
        if let Some(creation) = creation
            && let Err(fault) = object.fits(creation)
        {
            return refuse(fault.code, fault.why);
        }
        if !reads && object.is_kept() {
            self.paper.can_write().or_else(|why| refuse(ErrorCode::StoreFailed, why))?;
        }
        match cost(verb) {
            0 => Ok(()),
            more => self.has_room(scene.who, object, more).or_else(|why| refuse(ErrorCode::TooMany, why)),
        }
    }

    /// Makes the object of an operation. `None` if it was only to be known that it is not there.
    fn begin(&mut self, scene: Scene, operation: &Operation) -> Result<Option<u64>, Failure> {
        let Operation { object: name, verb, if_version, creation, .. } = operation;
        let must_not_be = *if_version == Some(0);
        let Some(kind) = verb.kind() else {
            return if must_not_be { Ok(None) } else { Err(no_such(name)) };
        };
        if if_version.is_some_and(|version| version > 0) || !verb.makes() {
            return Err(if verb.compares() { not_there(kind, name) } else { no_such(name) });
        }
        let usual = Creation::default();
        let creation = creation.as_deref().unwrap_or(&usual);
        let id = self.make(scene, name.clone(), State::new(kind, creation), creation)?;
        let more = cost(verb);
        if let Some(object) = self.all.get(&id)
            && let Err(why) = self.has_room(scene.who, object, more)
        {
            self.forget(id);
            let message = format!("could not {} {name}: {why}", doing(verb));
            return Err(Failure::new(ErrorCode::TooMany, message));
        }
        Ok(Some(id))
    }

    /// An object has changed: it has another version, which is returned.
    pub(super) fn changed(&mut self, id: u64) -> u64 {
        self.round.touched(id);
        self.round.saw(id);
        self.version += 1;
        let version = self.version;
        if let Some(object) = self.all.get_mut(&id) {
            let before = std::mem::replace(&mut object.version, version);
            self.pen.object = id;
            self.pen.step(|| Undo::Version(before));
        }
        if self.pen.transacts {
            self.charge(id);
        }
        version
    }

    fn act(
        &mut self,
        scene: Scene,
        id: u64,
        verb: Verb,
        fresh: bool,
        manner: Manner,
    ) -> Result<Acted, Fault> {
        let reads = verb.reads();
        let Some(object) = self.all.get_mut(&id) else { return Err(wrong("it is gone")) };
        let pen = &mut self.pen;
        pen.object = id;
        pen.keeps = object.is_kept();
        let result = match (&mut object.state, verb) {
            (State::Value(held), Verb::Value(verb)) => value::apply(held, verb, fresh, pen)?,
            (State::Dict(dict), Verb::Dict(verb)) => dict.apply(verb, pen)?,
            (State::List(list), Verb::List(verb)) => list.apply(verb, pen)?,
            (State::Stats(partial), Verb::Stats(verb)) => stats::apply(partial, verb, pen)?,
            (State::Queue(_), Verb::Queue(verb)) => return self.act_on_queue(scene, id, verb, manner),
            (State::Event(_), Verb::Event(verb)) => return self.act_on_event(scene, id, verb, manner),
            (State::Barrier(_), Verb::Barrier(verb)) => {
                return self.act_on_barrier(scene, id, verb, manner);
            }
            _ => ObjectResult::default(),
        };
        Ok(if reads { Acted::Looked(result) } else { Acted::Changed(result) })
    }

    fn act_on_queue(
        &mut self,
        scene: Scene,
        id: u64,
        verb: QueueVerb,
        manner: Manner,
    ) -> Result<Acted, Fault> {
        let Some(Object { state: State::Queue(queue), .. }) = self.all.get_mut(&id) else {
            return Err(wrong("it is gone"));
        };
        let pen = &mut self.pen;
        let mut result = ObjectResult::default();
        match verb {
            QueueVerb::Put(values) => match queue.put(values, pen)? {
                None => result.length = Some(queue.ready.len() as u64),
                Some(values) if manner.may_wait() => {
                    queue.putters.push_back((scene.client, values));
                    return Ok(self.let_wait(scene, id, manner));
                }
                Some(_) => return Err(queue.not_now(true)),
            },
            QueueVerb::Get { take, lease_ms } => {
                let getter = Getter { client: scene.client, take, lease: lease_ms.map(Span::ms) };
                let Some((receipt, value)) = queue.get(&getter, scene.now, pen)? else {
                    if !manner.may_wait() {
                        return Err(queue.not_now(false));
                    }
                    queue.getters.push_back(getter);
                    return Ok(self.let_wait(scene, id, manner));
                };
                if !take {
                    self.hold(scene.client, id, receipt.item, getter.lease.map(|lease| scene.now + lease));
                }
                result = queue::delivered(receipt, value, take);
            }
            QueueVerb::Acknowledge(receipt) => {
                let is_timed = queue.leased.get(&receipt.item).is_some_and(|lease| lease.until.is_some());
                if let Some(holder) = queue.acknowledge(receipt, pen)? {
                    self.release(holder, id, receipt.item, is_timed);
                }
            }
            QueueVerb::Return(_) | QueueVerb::Revive if manner == Manner::Transaction => {
                return Err(wrong("that is not done in a transaction"));
            }
            QueueVerb::Return(receipt) => {
                let is_timed = queue.leased.get(&receipt.item).is_some_and(|lease| lease.until.is_some());
                if let Some(holder) = queue.give_back(receipt, pen)? {
                    self.release(holder, id, receipt.item, is_timed);
                }
            }
            QueueVerb::Revive => result.length = Some(queue.revive(pen)),
            QueueVerb::Close => {
                if queue.closed {
                    return Ok(Acted::Looked(result));
                }
                queue.closed = true;
                pen.step(|| Undo::Closed);
            }
            QueueVerb::Size => {
                result.length = Some(queue.ready.len() as u64);
                result.leased = Some(queue.leased.len() as u64);
                result.dead = Some(queue.dead.len() as u64);
                result.closed = Some(queue.closed);
                return Ok(Acted::Looked(result));
            }
            QueueVerb::Dead(from) => {
                let (values, next) = queue.dead_from(from);
                result.values = Some(values);
                result.next = next.map(|next| next.to_string());
                return Ok(Acted::Looked(result));
            }
        }
        Ok(Acted::Changed(result))
    }

    fn let_wait(&mut self, scene: Scene, id: u64, manner: Manner) -> Acted {
        let timeout_ms = match manner {
            Manner::Alone(timeout_ms) => timeout_ms,
            Manner::Transaction => Some(0),
        };
        self.wait(scene.client, id, scene.now, timeout_ms);
        // Who says that it is to be persistent has made it by that, whatever becomes of the wait.
        if self.all.get(&id).is_some_and(|object| object.is_kept() && object.version == 0) {
            self.changed(id);
        }
        Acted::Waits
    }

    fn act_on_event(
        &mut self,
        scene: Scene,
        id: u64,
        verb: EventVerb,
        manner: Manner,
    ) -> Result<Acted, Fault> {
        let Some(Object { state: State::Event(event), .. }) = self.all.get_mut(&id) else {
            return Err(wrong("it is gone"));
        };
        let wanted = match verb {
            EventVerb::Get => event.set,
            EventVerb::Set => true,
            EventVerb::Clear => false,
            EventVerb::Wait if event.set => true,
            EventVerb::Wait if manner.may_wait() => {
                event.waiting.push_back(scene.client);
                return Ok(self.let_wait(scene, id, manner));
            }
            EventVerb::Wait => return Err(late("it is not set")),
        };
        let before = std::mem::replace(&mut event.set, wanted);
        let result = ObjectResult { set: Some(wanted), ..ObjectResult::default() };
        // One that was just made has changed, whatever it was made as.
        let makes = matches!(verb, EventVerb::Set | EventVerb::Clear);
        let unborn = self.all.get(&id).is_some_and(|object| object.version == 0);
        if before == wanted && !(makes && unborn) {
            return Ok(Acted::Looked(result));
        }
        self.pen.step(|| Undo::Event(before));
        Ok(Acted::Changed(result))
    }

    fn act_on_barrier(
        &mut self,
        scene: Scene,
        id: u64,
        verb: BarrierVerb,
        manner: Manner,
    ) -> Result<Acted, Fault> {
        let Some(Object { state: State::Barrier(barrier), .. }) = self.all.get_mut(&id) else {
            return Err(wrong("it is gone"));
        };
        match verb {
            BarrierVerb::Get => Ok(Acted::Looked(ObjectResult {
                length: Some(barrier.waiting.len() as u64),
                parties: Some(barrier.parties),
                broken: Some(barrier.broken),
                ..ObjectResult::default()
            })),
            BarrierVerb::Wait { .. } | BarrierVerb::Reset if manner == Manner::Transaction => {
                Err(wrong("that is not done in a transaction"))
            }
            BarrierVerb::Wait { parties } => {
                let last = barrier.waiting.len() as u64 + 1 >= u64::from(parties);
                if !(last || manner.may_wait()) {
                    return Err(late("the others are not there"));
                }
                let Some(mut all) = barrier.arrive(scene.client, parties)? else {
                    self.changed(id);
                    return Ok(self.let_wait(scene, id, manner));
                };
                all.pop();
                let index = all.len() as u64;
                let shown = move |at| ObjectResult {
                    index: Some(at),
                    parties: Some(parties),
                    ..ObjectResult::default()
                };
                self.let_go(id, all, shown);
                Ok(Acted::Changed(shown(index)))
            }
            BarrierVerb::Reset => {
                barrier.broken = false;
                let waiting = std::mem::take(&mut barrier.waiting).into();
                self.send_home(id, waiting);
                Ok(Acted::Changed(ObjectResult::default()))
            }
        }
    }

    /// Takes all steps of a transaction back, the last one first.
    fn take_back_all(&mut self, scene: Scene) {
        while let Some((id, undo)) = self.pen.steps.pop() {
            self.undo(scene, id, undo);
        }
        self.pen.changes.clear();
        for id in std::mem::take(&mut self.round.touched) {
            self.charge(id);
        }
    }

    fn undo(&mut self, scene: Scene, id: u64, undo: Undo) {
        if let Undo::Made = undo {
            return self.forget(id);
        }
        let Some(object) = self.all.get_mut(&id) else { return };
        match (&mut object.state, undo) {
            (_, Undo::Version(version)) => object.version = version,
            (State::Value(held), Undo::Value(before)) => *held = before,
            (State::Dict(dict), Undo::Key(key, before)) => dict.undo(key, before),
            (State::List(list), Undo::Pushed { count, front }) => list.unpush(count, front),
            (State::List(list), Undo::Popped(index, element)) => list.unpop(index, element),
            (State::List(list), Undo::Element(index, before)) => list.unset(index, before),
            (State::Event(event), Undo::Event(before)) => event.set = before,
            (State::Stats(partial), Undo::Stats(before)) => *partial = before,
            (State::Queue(queue), undo) => {
                let delivered = match &undo {
                    Undo::Delivered(number) => {
                        let timed = queue.leased.get(number).is_some_and(|lease| lease.until.is_some());
                        Some((*number, timed))
                    }
                    _ => None,
                };
                let acknowledged = match &undo {
                    Undo::Acknowledged(number, lease) => Some((*number, lease.client, lease.until)),
                    _ => None,
                };
                queue.undo(undo);
                if let Some((number, timed)) = delivered {
                    self.release(scene.client, id, number, timed);
                }
                if let Some((number, client, until)) = acknowledged {
                    self.hold(client, id, number, until);
                }
            }
            _ => {}
        }
    }
}

/// What is not there is not what it was said to be, as a key that is not there.
fn not_there(kind: ObjectKind, name: &str) -> Failure {
    Failure::new(ErrorCode::Conflict, format!("could not swap {kind} {name}: it is not there"))
}
