//! The stores keep what they promise: in memory, and in a redis-server of the test's own.
#![allow(clippy::unwrap_used)]

#[path = "common/acceptance.rs"]
mod acceptance;
#[path = "common/redis_server.rs"]
mod redis_server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use acceptance::{accept, call, ends_within, hour, is, load};
use flask_session_rs::store::memory::MemoryStore;
use flask_session_rs::store::redis::RedisStore;
use flask_session_rs::store::{
    Call, Created, Deadline, Endpoint, Expected, Interest, Loaded, PollWaiter, Protocol, Replaced,
    SessionStore, StoreError, Unreachable, Waited, Waiter,
};
use redis_server::{Server, free_port};

fn accept_redis(server: &Server, endpoint: Endpoint) {
    let database = endpoint.database.to_string();
    accept(&RedisStore::new(endpoint, 4), &|key| {
        let key = std::str::from_utf8(key).unwrap();
        let script = "redis.call('SELECT', ARGV[1]) redis.call('RPUSH', KEYS[1], 'a') return 1";
        server.ask(&["EVAL", script, "1", key, &database]);
    });
}

#[test]
fn memory() {
    let store = MemoryStore::new();
    accept(&store, &|key| store.place_foreign(key));
}

#[test]
fn redis_over_tcp() {
    let server = Server::start();
    accept_redis(&server, server.tcp());
}

#[test]
fn redis_over_a_unix_socket() {
    let server = Server::start();
    accept_redis(&server, server.unix());
}

#[test]
fn redis_over_resp3_by_name_in_another_database() {
    let server = Server::start();
    let mut endpoint = Endpoint::tcp("localhost", server.port);
    endpoint.protocol = Protocol::Resp3;
    endpoint.database = 7;
    accept_redis(&server, endpoint);
    let Loaded::Absent = load(&RedisStore::new(server.tcp(), 1), b"long") else {
        panic!("database 0 is not database 7");
    };
}

#[test]
fn redis_without_idle_connections() {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 0);
    for _ in 0..3 {
        is(load(&store, b"k"), Loaded::Absent);
    }
    assert_eq!(server.clients(), 1);
}

#[test]
fn what_stands_in_the_server_is_the_record_and_its_expiry() {
    let server = Server::start();
    let store = RedisStore::new(server.unix(), 1);
    store.create(b"session:a", b"one", hour(), &call()).unwrap();
    assert_eq!(
        server.ask(&["GET", "session:a"]),
        redis::Value::BulkString(b"one".to_vec())
    );
    let ttl = || server.number(&["TTL", "session:a"]);
    assert!((3590..=3600).contains(&ttl()));
    server.ask(&["EXPIRE", "session:a", "10"]);
    load(&store, b"session:a");
    assert!(ttl() <= 10);
    store.load(b"session:a", Some(hour()), &call()).unwrap();
    assert!((3590..=3600).contains(&ttl()));
    server.ask(&["EXPIRE", "session:a", "10"]);
    store
        .replace(
            b"session:a",
            Expected::Exactly(b"one"),
            b"two",
            hour(),
            &call(),
        )
        .unwrap();
    assert!((3590..=3600).contains(&ttl()));
    store
        .rotate(
            b"session:a",
            b"session:b",
            Expected::Any,
            b"3",
            hour(),
            &call(),
        )
        .unwrap();
    assert!((3590..=3600).contains(&server.number(&["TTL", "session:b"])));
    // A record without an expiry, as nobody here writes one, gets one.
    server.ask(&["PERSIST", "session:b"]);
    store.load(b"session:b", Some(hour()), &call()).unwrap();
    assert!((3590..=3600).contains(&server.number(&["TTL", "session:b"])));
}

#[test]
fn a_store_that_is_made_connects_to_nothing() {
    let port = free_port();
    let store = RedisStore::new(Endpoint::tcp("127.0.0.1", port), 4);
    let start = Instant::now();
    let error = store.load(b"k", None, &call()).err().unwrap();
    let refused = std::io::ErrorKind::ConnectionRefused;
    assert_eq!(error, StoreError::Unreachable(Unreachable::Io(refused)));
    assert!(start.elapsed() < Duration::from_secs(1));
    let gone = RedisStore::new(Endpoint::unix("/nowhere/at/all"), 4);
    let error = gone.load(b"k", None, &call()).err().unwrap();
    assert_eq!(
        error,
        StoreError::Unreachable(Unreachable::Io(std::io::ErrorKind::NotFound))
    );
    let long = RedisStore::new(Endpoint::unix("/x".repeat(100)), 4);
    assert!(matches!(
        long.load(b"k", None, &call()),
        Err(StoreError::Unreachable(_))
    ));
    let nobody = RedisStore::new(Endpoint::tcp("nobody.invalid", port), 4);
    ends_within(Duration::from_millis(300), |call| {
        let error = nobody.load(b"k", None, call).err().unwrap();
        assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    });
}

#[test]
fn a_server_that_was_restarted_is_found_again_without_an_error() {
    let mut server = Server::start();
    let store = RedisStore::new(server.tcp(), 8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| load(&store, b"k"));
        }
    });
    server.restart();
    is(
        store.create(b"k", b"1", hour(), &call()).unwrap(),
        Created::Done,
    );
    is(load(&store, b"k"), Loaded::Record(b"1".to_vec()));
    server.stop();
    assert!(store.load(b"k", None, &call()).is_err());
    server.restart();
    is(load(&store, b"k"), Loaded::Absent);
}

#[test]
fn scripts_are_sent_again_where_the_server_forgot_them() {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 1);
    for round in 0..3u8 {
        let (old, new) = ([round], [round + 1]);
        if round == 0 {
            store.create(&old, b"1", hour(), &call()).unwrap();
        }
        for _ in 0..2 {
            server.ask(&["SCRIPT", "FLUSH"]);
            let outcome = store.replace(&old, Expected::Any, b"1", hour(), &call());
            is(outcome.unwrap(), Replaced::Done);
        }
        server.ask(&["SCRIPT", "FLUSH"]);
        let outcome = store.rotate(&old, &new, Expected::Exactly(b"1"), b"1", hour(), &call());
        is(outcome.unwrap(), Replaced::Done);
        server.ask(&["SCRIPT", "FLUSH"]);
        is(
            store
                .delete(&old, Expected::Exactly(b"1"), &call())
                .unwrap(),
            Replaced::Gone,
        );
    }
    assert_eq!(server.clients(), 2);
}

#[test]
fn many_threads() {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 8);
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let key = format!("thread {thread}").into_bytes();
                let mut now = format!("{thread}:0").into_bytes();
                store.create(&key, &now, hour(), &call()).unwrap();
                for round in 1..40 {
                    is(
                        store.load(&key, Some(hour()), &call()).unwrap(),
                        Loaded::Record(now.clone()),
                    );
                    // Some of them larger than one read.
                    let mut next = format!("{thread}:{round}").into_bytes();
                    next.resize(
                        next.len() + round * 1000,
                        b'0' + u8::try_from(thread % 10).unwrap(),
                    );
                    let expected = Expected::Exactly(&now);
                    let outcome = store.replace(&key, expected, &next, hour(), &call());
                    is(outcome.unwrap(), Replaced::Done);
                    now = next;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 64 * 39);
    assert!(server.clients() <= 9);
}

/// What is written between a look and a write is seen, be the record small or large.
#[test]
fn eight_threads_change_one_record_and_every_change_survives() {
    let server = Server::start();
    let store = RedisStore::new(server.unix(), 8);
    for size in [0, 40_000] {
        let key = format!("k {size}").into_bytes();
        store
            .create(&key, &vec![b'.'; size], hour(), &call())
            .unwrap();
        std::thread::scope(|scope| {
            for thread in b"abcdefgh" {
                let (store, key) = (&store, &key);
                scope.spawn(move || append(store, key, *thread, 50));
            }
        });
        let Loaded::Record(all) = load(&store, &key) else {
            panic!("the record is there");
        };
        assert_eq!(all.len(), size + 8 * 50);
        for thread in b"abcdefgh" {
            assert_eq!(memchr::memchr_iter(*thread, &all).count(), 50);
        }
    }
    // No watch is left on a connection.
    assert!(server.clients() <= 9);
}

/// Appends a letter to a record so many times, whatever others do to it.
fn append(store: &RedisStore, key: &[u8], letter: u8, times: usize) {
    for _ in 0..times {
        let Loaded::Record(mut now) = load(store, key) else {
            panic!("the record is there");
        };
        loop {
            let next = [&now[..], &[letter]].concat();
            match store.replace(key, Expected::Exactly(&now), &next, hour(), &call()) {
                Ok(Replaced::Done) => break,
                Ok(Replaced::Changed(newer)) => now = newer,
                Err(StoreError::Contended) => {}
                _ => panic!("the record is there"),
            }
        }
    }
}

/// A waiter that lets some waits pass and then does what it is told.
struct Trap<'a> {
    waits: AtomicUsize,
    passes: usize,
    spring: &'a (dyn Fn() -> StoreError + Sync),
}

impl Waiter for Trap<'_> {
    fn wait(&self, fd: i32, interest: Interest, deadline: Deadline) -> Result<Waited, StoreError> {
        if self.waits.fetch_add(1, Ordering::Relaxed) < self.passes {
            return PollWaiter.wait(fd, interest, deadline);
        }
        Err((self.spring)())
    }
}

#[test]
fn an_operation_that_comes_too_late_costs_no_connection() {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 1);
    store.create(b"k", b"1", hour(), &call()).unwrap();
    let connections = || {
        let redis::Value::BulkString(told) = server.ask(&["INFO", "stats"]) else {
            panic!("a text");
        };
        let told = String::from_utf8(told).unwrap();
        let mut lines = told.lines();
        let number = lines.find_map(|line| line.strip_prefix("total_connections_received:"));
        number.unwrap().parse::<usize>().unwrap()
    };
    // Asking may open connections of its own.
    let asking = connections();
    let before = connections();
    let asking = before - asking;
    let late = Call {
        deadline: Deadline::after(Duration::ZERO),
        waiter: &PollWaiter,
    };
    let timed_out = StoreError::Unreachable(Unreachable::TimedOut);
    assert_eq!(store.load(b"k", None, &late).err(), Some(timed_out));
    is(load(&store, b"k"), Loaded::Record(b"1".to_vec()));
    assert_eq!(connections(), before + asking);
}

#[test]
fn an_interrupted_exchange_ends_its_connection() {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 1);
    store.create(b"a", b"of a", hour(), &call()).unwrap();
    store.create(b"b", b"of b", hour(), &call()).unwrap();
    for round in 0..50 {
        let panics = round % 2 == 0;
        let spring = || {
            assert!(!panics, "injected");
            StoreError::Interrupted
        };
        let trap = Trap {
            waits: AtomicUsize::new(0),
            passes: 0,
            spring: &spring,
        };
        let call = Call {
            deadline: Deadline::after(Duration::from_secs(5)),
            waiter: &trap,
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.load(b"a", None, &call).err().unwrap()
        }));
        match outcome {
            Ok(error) => assert_eq!(error, StoreError::Interrupted),
            Err(_) => assert!(panics),
        }
        is(load(&store, b"b"), Loaded::Record(b"of b".to_vec()));
    }
    assert_eq!(server.clients(), 2);
}

#[test]
fn a_server_that_stops_in_the_middle_costs_no_more_than_the_deadline() {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 1);
    let large = vec![b'x'; 20 << 20];
    store.create(b"k", b"1", hour(), &call()).unwrap();
    let signal = |name: &str| {
        let id = server.process_id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    };
    for record in [&b"small"[..], &large] {
        load(&store, b"k");
        signal("-STOP");
        let moment = Duration::from_millis(300);
        let timed_out = StoreError::Unreachable(Unreachable::TimedOut);
        ends_within(moment, |call| {
            let error = store.replace(b"k", Expected::Any, record, hour(), call);
            assert_eq!(error.err().unwrap(), timed_out);
        });
        // A new connection is taken into the queue, and gets no answer either.
        ends_within(moment, |call| {
            assert_eq!(store.load(b"k", None, call).err().unwrap(), timed_out);
        });
        signal("-CONT");
        let Loaded::Record(now) = load(&store, b"k") else {
            panic!("the record is there");
        };
        // Half a command was never carried out.
        assert!(now == b"1" || now == b"small", "{}", now.len());
    }
}
