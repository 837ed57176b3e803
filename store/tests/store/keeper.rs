//! The thread: tickets come back in order, many share one wait for the disk, and its end loses nothing.

use tally_store::{Keeper, Table, Ticket};
use tally_sys::doorbell::{Woken, wait_readable};

use crate::scene::{directory, open, put};

#[test]
fn tickets_come_back_in_order_and_share_their_commits() {
    let place = directory();
    let (store, _) = open(place.path());
    let (_, syncs_before) = store.cost();
    let mut keeper = Keeper::start(store).unwrap();
    let (_held, lifeline) = std::os::unix::net::UnixStream::pair().unwrap();
    for ticket in 0..500 {
        keeper.submit(Ticket(ticket), vec![put(Table::Jobs, ticket, "job")]).unwrap();
    }
    let mut tickets = Vec::new();
    while tickets.len() < 500 {
        assert_eq!(wait_readable(&keeper, &lifeline).unwrap(), Woken::Ready);
        for finished in keeper.finished().unwrap() {
            assert_eq!(finished.result, Ok(()));
            tickets.push(finished.ticket.0);
        }
    }
    assert_eq!(tickets, (0..500).collect::<Vec<_>>());
    let (store, left) = keeper.end();
    assert!(left.is_empty());
    let (_, syncs) = store.as_ref().unwrap().cost();
    assert!(syncs - syncs_before < 500, "{syncs} syncs for 500 lists");
    drop(store);
    assert_eq!(open(place.path()).1.len(), 500);
}

#[test]
fn what_was_handed_in_is_kept_when_the_owner_goes() {
    let place = directory();
    let mut keeper = Keeper::start(open(place.path()).0).unwrap();
    for ticket in 0..50 {
        keeper.submit(Ticket(ticket), vec![put(Table::Progress, ticket, "x")]).unwrap();
    }
    drop(keeper);
    let mut keeper = Keeper::start(open(place.path()).0).unwrap();
    keeper.submit(Ticket(7), vec![put(Table::Progress, 50, "x")]).unwrap();
    let (store, finished) = keeper.end();
    assert_eq!(finished.len(), 1);
    assert_eq!(finished[0].ticket, Ticket(7));
    drop(store);
    assert_eq!(open(place.path()).1.len(), 51);
}
