//! What the pool promises, whatever its threads do at the same time.

use loom::sync::Arc;

use super::connection::{Connection, open_now};
use super::pool::Pool;
use super::{Call, Endpoint};
use crate::Claim;
use crate::sync::{process, thread};

pub const CLAIMS: &[Claim] = &[
    (
        "a connection is lent to one borrower at a time",
        None,
        one_borrower,
    ),
    ("the same, three borrowers", Some(3), three_borrowers),
    (
        "a connection that is not in step is closed, not lent",
        None,
        in_step,
    ),
    (
        "a connection to which stray bytes came is closed, not lent",
        None,
        stray_bytes,
    ),
    (
        "no more are kept than there is room for, and none is lost",
        Some(4),
        bounded,
    ),
    (
        "a returned connection is found, and nobody waits for one",
        None,
        found_again,
    ),
    (
        "a child lends and keeps none of its parent's connections",
        Some(3),
        fork,
    ),
    (
        "a connection that was lent across a fork is not kept",
        None,
        lent_across_a_fork,
    ),
];

fn pool(size: usize) -> Arc<Pool> {
    assert_eq!(open_now(), 0, "the last order left a connection open");
    Arc::new(Pool::new(Endpoint, size))
}

/// A pool with so many idle connections.
fn filled(size: usize) -> Arc<Pool> {
    let pool = pool(size);
    let opened: Vec<_> = (0..size).map(|_| open(&pool)).collect();
    opened.into_iter().for_each(|idle| pool.put(idle));
    assert_eq!(open_now(), size);
    pool
}

fn open(pool: &Pool) -> Box<Connection> {
    pool.open(&Call::default()).unwrap()
}

/// An idle connection or a new one, with which something was exchanged.
fn borrow(pool: &Pool) -> Box<Connection> {
    let mut borrowed = pool.take().unwrap_or_else(|| open(pool));
    borrowed.exchange();
    borrowed
}

fn borrow_and_return(pool: &Pool) {
    pool.put(borrow(pool));
}

/// Runs these at the same time, the last of them on this thread.
fn together(pool: &Arc<Pool>, others: &[fn(&Pool)], this: fn(&Pool)) {
    let threads: Vec<_> = others
        .iter()
        .map(|&other| {
            let pool = Arc::clone(pool);
            thread::spawn(move || other(&pool))
        })
        .collect();
    this(pool);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Takes out all that is kept, which has to be no more than `most`, fit to be lent, and all that is open.
fn empty(pool: &Pool, most: usize) -> usize {
    let open = open_now();
    assert!(open <= most, "{open} are kept");
    let kept: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
    assert_eq!(kept.len(), open, "some are open that nobody can use");
    kept.into_iter().map(|mut idle| idle.exchange()).count()
}

fn one_borrower() {
    let pool = filled(1);
    together(&pool, &[borrow_and_return], borrow_and_return);
    empty(&pool, 1);
}

fn three_borrowers() {
    let pool = filled(2);
    together(
        &pool,
        &[borrow_and_return, borrow_and_return],
        borrow_and_return,
    );
    empty(&pool, 2);
}

fn in_step() {
    let pool = filled(1);
    let fails = |pool: &Pool| {
        let mut borrowed = borrow(pool);
        borrowed.clean = false;
        pool.put(borrowed);
    };
    together(&pool, &[fails, borrow_and_return], |_| ());
    empty(&pool, 1);
}

fn stray_bytes() {
    let pool = filled(1);
    let strays = |pool: &Pool| {
        let mut borrowed = borrow(pool);
        borrowed.quiet = false;
        pool.put(borrowed);
    };
    together(&pool, &[strays, borrow_and_return], |_| ());
    // Nobody looks at an idle connection before it is to be lent.
    borrow_and_return(&pool);
    empty(&pool, 1);
}

fn bounded() {
    let pool = pool(1);
    together(
        &pool,
        &[borrow_and_return, borrow_and_return],
        borrow_and_return,
    );
    empty(&pool, 1);
}

fn found_again() {
    let pool = pool(2);
    together(&pool, &[borrow_and_return], borrow_and_return);
    // A thread that finds each lock held just then closes its connection; both of them do not.
    assert!(empty(&pool, 2) >= 1, "a connection was closed in vain");
}

fn fork() {
    let pool = filled(2);
    process::fork();
    together(&pool, &[borrow_and_return], borrow_and_return);
    // Closed, too: the server sees no end as long as a copy is open.
    empty(&pool, 2);
}

fn lent_across_a_fork() {
    let pool = filled(1);
    let lent = borrow(&pool);
    process::fork();
    let other = {
        let pool = Arc::clone(&pool);
        thread::spawn(move || borrow_and_return(&pool))
    };
    borrow_and_return(&pool);
    pool.put(lent);
    other.join().unwrap();
    empty(&pool, 1);
}
