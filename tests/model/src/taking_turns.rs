//! What the turns promise, whatever their threads do at the same time.

use loom::cell::UnsafeCell;
use loom::sync::Arc;

use crate::Claim;
use crate::store::Call;
use crate::sync::{process, thread};
use crate::turns::{Turn, Turns};

pub const CLAIMS: &[Claim] = &[
    (
        "one thread at a time has a record's turn",
        None,
        one_at_a_time,
    ),
    (
        "a turn is free again when it is given back",
        Some(3),
        given_back,
    ),
    ("a child has none of its parent's turns", None, fork),
];

/// Who pauses less often than this has not gone on without a turn: in 250 ms there are 833 pauses, in a tenth of it 84.
const FEW: usize = 80;

fn take<'t>(turns: &'t Turns, key: &'t [u8]) -> Turn<'t> {
    let call = Call::default();
    let turn = turns.take(key, &call).unwrap();
    assert!(call.pauses.get() < FEW, "a turn was not given back");
    turn
}

struct Shared {
    turns: Turns,
    /// Loom fails when two threads are in there at once.
    record: UnsafeCell<u32>,
}

fn change(shared: &Shared) {
    let turn = take(&shared.turns, b"a");
    shared.record.with_mut(|_| ());
    drop(turn);
}

// Not three threads: two that look in turn wake each other forever while the third sleeps, which no scheduler does.
fn one_at_a_time() {
    let shared = Arc::new(Shared {
        turns: Turns::new(),
        record: UnsafeCell::new(0),
    });
    let other = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || change(&shared))
    };
    change(&shared);
    other.join().unwrap();
    change(&shared);
}

/// A turn is given back while another thread looks for one of another key, and holds the lock.
fn given_back() {
    let turns = Arc::new(Turns::new());
    let other = {
        let turns = Arc::clone(&turns);
        thread::spawn(move || drop(take(&turns, b"b")))
    };
    drop(take(&turns, b"a"));
    drop(take(&turns, b"a"));
    other.join().unwrap();
    drop(take(&turns, b"a"));
    drop(take(&turns, b"b"));
}

fn fork() {
    let turns = Arc::new(Turns::new());
    std::mem::forget(take(&turns, b"a"));
    process::fork();
    let other = {
        let turns = Arc::clone(&turns);
        thread::spawn(move || drop(take(&turns, b"a")))
    };
    drop(take(&turns, b"a"));
    other.join().unwrap();
}
