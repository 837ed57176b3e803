//! How the machine hosts objects: requests go to the book, its deeds become actions.

use tally_protocol::ClientId;
use tally_protocol::control::Reply;
use tally_protocol::error::ErrorCode;
use tally_protocol::objects::ObjectRequest;
use tally_protocol::objects::handover::{HandedObjects, Writer};
use tally_protocol::view::HostedView;

use super::{Deed, ObjectAlarm, Objects, Scene};
use crate::Machine;
use crate::clients::Pending;
use crate::deadline::Alarm;
use crate::permission::Who;

impl Objects {
    /// What is told of all of them together; nothing, if there are none.
    pub(crate) fn view(&self) -> Option<HostedView> {
        (self.count() > 0).then(|| HostedView {
            objects: self.count() as u64,
            bytes: self.bytes() as u64,
            waiting: self.waiting.len() as u64,
        })
    }
}

impl Machine {
    /// A client asks for something about objects.
    pub(crate) fn object_said(&mut self, client: ClientId, who: Who, request: ObjectRequest, more: bool) {
        if !self.phase.works() {
            return self.refuse(client, ErrorCode::Stopping, "the daemon is stopping");
        }
        self.wait_for(client, Pending::Object);
        self.objects.said(Scene { now: self.now, client, who }, request, more);
        self.host();
    }

    /// A client is gone.
    pub(crate) fn objects_lose(&mut self, client: ClientId) {
        self.objects.gone(client, self.now);
        self.host();
    }

    /// It is time for one of the objects' affairs.
    pub(crate) fn object_due(&mut self, alarm: ObjectAlarm) {
        self.objects.due(alarm, self.now);
        self.host();
    }

    /// The store has answered.
    pub(crate) fn objects_written(&mut self, batch: u64, result: Result<(), &str>) {
        match result {
            Ok(()) => self.objects.recorded(batch),
            Err(why) => self.objects.not_recorded(batch, why, self.now),
        }
        self.host();
    }

    /// Nobody will be served any more.
    pub(crate) fn send_object_waiters_away(&mut self) {
        self.objects.send_away(self.now);
        self.host();
    }

    /// Objects that are in no store, for another program that takes over.
    #[must_use]
    pub fn hand_over_objects(&self) -> Writer {
        self.objects.hand_over()
    }

    /// Whether a connection has items of queues.
    #[must_use]
    pub fn has_items(&self, client: ClientId) -> bool {
        self.objects.has_items(client)
    }

    /// Takes over what another program had.
    pub(crate) fn take_over_objects(&mut self, handed: HandedObjects) {
        self.objects.take_over(handed);
        self.host();
    }

    /// Nobody waits for the store any more.
    pub(crate) fn abandon_objects(&mut self) {
        self.objects.abandon();
        self.host();
    }

    /// Does what the book wants done.
    pub(crate) fn host(&mut self) {
        for deed in self.objects.take_deeds() {
            match deed {
                Deed::Reply { client, reply, continues } => self.object_reply(client, reply, continues),
                Deed::Record { batch, changes } => self.record_objects(batch, changes),
                Deed::Alarm(alarm, at) => self.alarms.set(Alarm::Object(alarm), at),
                Deed::Silence(alarm) => self.alarms.clear(Alarm::Object(alarm)),
            }
        }
    }

    fn object_reply(&mut self, client: ClientId, reply: Reply, continues: bool) {
        if !continues {
            self.wait_for(client, Pending::Nothing);
        }
        self.reply(client, reply, continues);
    }
}
