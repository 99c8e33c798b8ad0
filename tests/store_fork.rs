//! A process that forks while its threads are at work: the child has connections of its own, the parent keeps its.
#![allow(clippy::unwrap_used)]

#[path = "common/acceptance.rs"]
#[allow(dead_code)]
mod acceptance;
#[path = "common/redis_server.rs"]
mod redis_server;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use acceptance::{call, hour, is};
use flask_session_rs::store::redis::RedisStore;
use flask_session_rs::store::{
    Call, Deadline, Interest, Loaded, PollWaiter, SessionStore, StoreError, Unreachable, Waited,
    Waiter,
};
use redis_server::Server;

/// Runs `child` in a child; whether it came to its end without a panic, and within ten seconds.
#[allow(unsafe_code)]
fn forked(child: impl FnOnce()) -> bool {
    // SAFETY: the child calls nothing but `child` and `_exit`; the C library's allocator survives a fork.
    let id = unsafe { libc::fork() };
    if id == 0 {
        let failed = catch_unwind(AssertUnwindSafe(child)).is_err();
        // SAFETY: ends the child without running what belongs to its parent.
        unsafe { libc::_exit(i32::from(failed)) };
    }
    assert!(id > 0);
    let start = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: `id` is a child of this process, and `status` outlives the call.
        if unsafe { libc::waitpid(id, &raw mut status, libc::WNOHANG) } == id {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        }
        if start.elapsed() > Duration::from_secs(10) {
            // SAFETY: as above.
            unsafe { libc::kill(id, libc::SIGKILL) };
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn children_born_under_load() {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 4);
    let keys: Vec<_> = (0..6)
        .map(|owner| format!("owner {owner}").into_bytes())
        .collect();
    for key in &keys {
        store.create(key, key, hour(), &call()).unwrap();
    }
    let (done, started) = (AtomicBool::new(false), Barrier::new(keys.len() + 1));
    std::thread::scope(|scope| {
        for key in &keys {
            let (store, done, started) = (&store, &done, &started);
            scope.spawn(move || {
                started.wait();
                while !done.load(Ordering::Relaxed) {
                    // Not one of the parent's exchanges is disturbed.
                    is(
                        store.load(key, None, &call()).unwrap(),
                        Loaded::Record(key.clone()),
                    );
                }
            });
        }
        started.wait();
        let children = (0..60).all(|_| {
            forked(|| {
                for _ in 0..3 {
                    for key in &keys {
                        is(
                            store.load(key, None, &call()).unwrap(),
                            Loaded::Record(key.clone()),
                        );
                    }
                }
            })
        });
        done.store(true, Ordering::Relaxed);
        assert!(children, "a child read what is another's, failed or hung");
    });
}

/// The child of a process that has idle connections takes none of them, and ends none of them.
#[test]
fn what_a_child_inherits_stays_its_parents() {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 4);
    store.create(b"k", b"1", hour(), &call()).unwrap();
    let connections = || {
        let redis::Value::BulkString(list) = server.ask(&["CLIENT", "LIST"]) else {
            panic!("a text");
        };
        String::from_utf8(list).unwrap()
    };
    let id = |list: &str| list.split(' ').next().unwrap().to_owned();
    let before = id(&connections());
    for _ in 0..3 {
        assert!(forked(|| {
            is(
                store.load(b"k", None, &call()).unwrap(),
                Loaded::Record(b"1".to_vec()),
            );
            let ours = store.load(b"k", None, &call());
            is(ours.unwrap(), Loaded::Record(b"1".to_vec()));
        }));
        // Before the parent says a word: its connection is there, and nobody has spoken on it.
        assert_eq!(id(&connections()), before);
        is(
            store.load(b"k", None, &call()).unwrap(),
            Loaded::Record(b"1".to_vec()),
        );
    }
    assert_eq!(id(&connections()), before);
}

/// Forks in the middle of an exchange, as a signal's handler or another greenlet does.
struct ForkingWaiter {
    child: AtomicBool,
    blocks: bool,
}

impl ForkingWaiter {
    #[allow(unsafe_code)]
    fn fork(&self) {
        if !self.child.swap(true, Ordering::Relaxed) {
            // SAFETY: the child goes on with the exchange, and ends in the test.
            let id = unsafe { libc::fork() };
            if id != 0 {
                let mut status = 0;
                // SAFETY: `id` is a child of this process, and `status` outlives the call.
                unsafe { libc::waitpid(id, &raw mut status, 0) };
                assert!(
                    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7,
                    "{status}"
                );
            }
        }
    }
}

impl Waiter for ForkingWaiter {
    fn wait(&self, fd: i32, interest: Interest, deadline: Deadline) -> Result<Waited, StoreError> {
        self.fork();
        PollWaiter.wait(fd, interest, deadline)
    }

    fn may_block(&self) -> bool {
        self.blocks
    }

    fn look_up(&self) -> Result<(), StoreError> {
        self.fork();
        Ok(())
    }
}

#[test]
fn a_child_born_in_a_wait_does_not_end_the_exchange_for_its_parent() {
    born_in_the_middle_of_an_exchange(false);
}

#[test]
fn a_child_born_while_a_read_blocks_does_not_end_the_exchange_for_its_parent() {
    born_in_the_middle_of_an_exchange(true);
}

#[allow(unsafe_code)]
fn born_in_the_middle_of_an_exchange(blocks: bool) {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 4);
    store.create(b"k", b"1", hour(), &call()).unwrap();
    // The reply comes later than the first look at what else there is.
    server.ask(&["CLIENT", "PAUSE", "400", "ALL"]);
    let parent = std::process::id();
    let waiter = ForkingWaiter {
        child: AtomicBool::new(false),
        blocks,
    };
    let call = Call {
        deadline: Deadline::after(Duration::from_secs(5)),
        waiter: &waiter,
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| store.load(b"k", None, &call)));
    if std::process::id() != parent {
        let closed = StoreError::Unreachable(Unreachable::Closed);
        let expected = matches!(outcome, Ok(Err(error)) if error == closed);
        // SAFETY: ends the child without running what belongs to its parent.
        unsafe { libc::_exit(if expected { 7 } else { 1 }) };
    }
    is(outcome.unwrap().unwrap(), Loaded::Record(b"1".to_vec()));
    assert!(waiter.child.load(Ordering::Relaxed), "nobody forked");
}
