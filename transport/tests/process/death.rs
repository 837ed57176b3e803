//! Workers and supervisors that are killed or stopped at the worst moment.

use std::cell::Cell;
use std::os::fd::OwnedFd;

use tally_sys::fd;
use tally_sys::process::{Child, ExitStatus, fork_child_with, own_pid};
use tally_sys::signal::Signal;
use tally_transport::steps::{Step, on_step};
use tally_transport::{LinkError, Received, Transport, Wait, WorkerLink};

use crate::support::{Worker, assert_whole, await_frames, die, drain, fork_worker, names_of, numbered};

crate::checks! { "death":
    a_worker_killed_in_mid_stream_leaves_whole_frames,
    a_worker_that_dies_at_a_step_has_sent_all_or_nothing_of_a_frame,
    a_worker_killed_while_it_waits_for_room_leaves_whole_frames,
    a_stopped_worker_does_not_stop_the_supervisor,
    a_killed_supervisor_ends_its_waiting_worker,
    a_killed_supervisor_ends_its_sending_worker,
}

fn killed() -> ExitStatus {
    ExitStatus::Killed { signal: Signal::Kill, core: false }
}

/// The state of a process as `ps` shows it.
fn state_of(child: &Child) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.pid())).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

fn send_for_ever(mut link: Box<dyn WorkerLink>, flush_every: u32) -> u8 {
    for number in 0.. {
        link.send(&numbered(number)).unwrap();
        if number % flush_every == 0 {
            link.flush().unwrap();
        }
    }
    0
}

fn a_worker_killed_in_mid_stream_leaves_whole_frames() {
    for transport in Transport::ALL {
        for round in 0..25 {
            let flush_every = 1 + round % 7;
            let mut worker =
                fork_worker(transport, "1", Vec::new(), |link, _| send_for_ever(link, flush_every));
            let mut frames = await_frames(&mut worker, usize::try_from(round * 13).unwrap());
            worker.child.signal(Signal::Kill).unwrap();
            assert_eq!(worker.child.reap().unwrap(), killed());
            frames.extend(drain(&mut *worker.link));
            assert_whole(&frames);
        }
    }
}

/// Random kills hardly ever hit the instants that matter; these always do.
fn a_worker_that_dies_at_a_step_has_sent_all_or_nothing_of_a_frame() {
    const BEFORE: u32 = 3;
    for transport in Transport::ALL {
        for step in Step::ALL {
            let mut worker = fork_worker(transport, "1", Vec::new(), move |mut link, _| {
                let passed = Cell::new(0);
                on_step(move |reached| {
                    if reached == step {
                        passed.set(passed.get() + 1);
                        if passed.get() > BEFORE {
                            die();
                        }
                    }
                });
                for number in 0.. {
                    link.send(&numbered(number)).unwrap();
                    link.flush().unwrap();
                }
                0
            });
            assert_eq!(worker.child.reap().unwrap(), killed());
            let frames = drain(&mut *worker.link);
            assert_whole(&frames);
            let committed = matches!(step, Step::BeforeBell | Step::AfterBell);
            let expected = BEFORE + u32::from(committed);
            assert_eq!(frames.len(), usize::try_from(expected).unwrap(), "{transport} {step:?}");
        }
    }
}

fn a_worker_killed_while_it_waits_for_room_leaves_whole_frames() {
    for transport in Transport::ALL {
        let mut worker = fork_worker(transport, "1", Vec::new(), |link, _| send_for_ever(link, 1));
        // It sleeps nowhere else.
        while state_of(&worker.child) != 'S' {
            std::thread::yield_now();
        }
        worker.child.signal(Signal::Kill).unwrap();
        assert_eq!(worker.child.reap().unwrap(), killed());
        let frames = drain(&mut *worker.link);
        assert!(!frames.is_empty());
        assert_whole(&frames);
    }
}

fn a_stopped_worker_does_not_stop_the_supervisor() {
    for transport in Transport::ALL {
        let mut worker = fork_worker(transport, "1", Vec::new(), |link, _| send_for_ever(link, 1));
        let mut frames = Vec::new();
        for round in 0..20 {
            frames.extend(await_frames(&mut worker, 50));
            worker.child.signal(Signal::Stop).unwrap();
            frames.extend(drain(&mut *worker.link));
            for number in 0..200 {
                worker.link.send(&numbered(number)).unwrap();
                worker.link.flush().unwrap();
            }
            if round % 2 == 0 {
                frames.extend(drain(&mut *worker.link));
            }
            worker.child.signal(Signal::Cont).unwrap();
        }
        worker.child.signal(Signal::Kill).unwrap();
        worker.child.reap().unwrap();
        frames.extend(drain(&mut *worker.link));
        assert_whole(&frames);
    }
}

fn a_killed_supervisor_ends_its_waiting_worker() {
    a_killed_supervisor_ends(|mut link| {
        let received = link.receive(&mut Vec::new(), Wait::Forever).unwrap();
        u8::from(received != Received::Closed)
    });
}

fn a_killed_supervisor_ends_its_sending_worker() {
    a_killed_supervisor_ends(|mut link| {
        loop {
            match link.send(&numbered(0)).and_then(|()| link.flush()) {
                Ok(()) => {}
                Err(LinkError::Closed) => return 0,
                Err(_) => return 1,
            }
        }
    });
}

/// The supervisor is a child of this check, the worker a child of the supervisor.
fn a_killed_supervisor_ends(work: fn(Box<dyn WorkerLink>) -> u8) {
    for transport in Transport::ALL {
        let (alive, held_by_worker) = fd::pipe().unwrap();
        let mut supervisor = fork_supervisor(held_by_worker, move |held| {
            let kept = vec![held.try_clone().unwrap()];
            let worker = fork_worker(transport, "1", kept, move |link, kept| {
                let status = work(link);
                drop(kept);
                status
            });
            (worker, held)
        });
        let mut byte = [0];
        assert_eq!(fd::read_some(&alive, &mut byte).unwrap(), Some(1), "the worker has opened");
        let pid = u32::try_from(supervisor.pid().raw()).unwrap();
        assert_eq!(names_of(pid).len(), 0, "{transport}: an open link has no name");
        supervisor.signal(Signal::Kill).unwrap();
        assert_eq!(supervisor.reap().unwrap(), killed());
        // The end of the pipe is the end of the worker.
        assert_eq!(fd::read_some(&alive, &mut byte).unwrap(), Some(0));
        assert_eq!(names_of(pid).len(), 0);
    }
}

/// Forks a supervisor that makes a worker, says so through `held` and then only lives.
fn fork_supervisor(held: OwnedFd, make: impl FnOnce(OwnedFd) -> (Worker, OwnedFd)) -> Child {
    let parent = own_pid();
    let child = fork_child_with(vec![held], move |mut held| {
        tally_sys::process::arm_parent_death(parent).unwrap();
        let (worker, held) = make(held.pop().unwrap());
        assert_eq!(fd::write_some(&held, b"o").unwrap(), Some(1));
        drop(held);
        let (never, _kept) = fd::pipe().unwrap();
        fd::read_some(&never, &mut [0]).unwrap();
        drop(worker);
        0
    });
    child.unwrap()
}
