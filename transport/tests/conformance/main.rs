//! What every transport must do, one list of checks over all of them.
//!
//! The worker's end lives in the same thread where that suffices, else in a thread of its own;
//! `tests/process` has the checks that need a process to kill.

mod backpressure;
mod bell;
mod channel_only;
mod end;
mod frames;
mod hostile;
mod support;

/// Makes a test of every check for every transport.
macro_rules! for_every_transport {
    ($($module:ident: $($check:ident),+;)+) => {
        for_every_transport!(@ shm Shm $($module: $($check),+;)+);
        for_every_transport!(@ shm_named ShmNamed $($module: $($check),+;)+);
        for_every_transport!(@ pipe Pipe $($module: $($check),+;)+);
        for_every_transport!(@ mqueue Mqueue $($module: $($check),+;)+);
        for_every_transport!(@ channel Channel $($module: $($check),+;)+);
    };
    (@ $name:ident $transport:ident $($module:ident: $($check:ident),+;)+) => {
        mod $name {
            $($(
                #[test]
                fn $check() {
                    crate::$module::$check(tally_transport::Transport::$transport);
                }
            )+)+
        }
    };
}

for_every_transport! {
    frames: every_length_in_order_both_ways,
        a_frame_too_long_is_refused,
        many_before_one_flush,
        ping_pong;
    bell: the_bell_is_readable_exactly_when_something_is_there,
        the_first_frame_after_an_empty_receive_rings,
        what_is_left_is_announced_before_sleeping,
        answering_before_receiving_loses_nothing;
    backpressure: a_slow_supervisor_makes_the_worker_wait,
        a_slow_worker_does_not_make_the_supervisor_wait,
        an_outbox_has_an_end_and_recovers,
        both_directions_full_at_once;
    end: a_dropped_worker_leaves_what_it_had_handed_over,
        a_dropped_supervisor_ends_a_wait,
        a_dropped_supervisor_ends_a_blocked_send,
        a_closed_lifeline_ends_a_wait,
        a_closed_lifeline_ends_a_blocked_send,
        a_worker_that_never_opens_costs_nothing;
    hostile: garbage_is_a_violation_and_no_panic;
}
