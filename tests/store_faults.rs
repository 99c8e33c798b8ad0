//! Servers and networks that do what they should not: no foreign byte is taken for a reply, and no deadline is passed.
#![allow(clippy::unwrap_used)]

#[path = "common/acceptance.rs"]
#[allow(dead_code)]
mod acceptance;
#[path = "common/redis_server.rs"]
mod redis_server;
#[path = "common/scripted.rs"]
mod scripted;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use acceptance::{GRACE, call, ends_within, hour, is, within};
use flask_session_rs::store::redis::RedisStore;
use flask_session_rs::store::{
    Call, Created, Deadline, Endpoint, Expected, Interest, Loaded, PollWaiter, Protocol, Replaced,
    SessionStore, StoreError, Unreachable, Waited, Waiter,
};
use redis_server::Server;
use scripted::Scripted;

fn load(store: &RedisStore, time: Duration) -> Result<Loaded, StoreError> {
    store.load(b"k", Some(hour()), &within(time))
}

/// Held by the tests that look at the clock to the millisecond, and by those that leave no core for them.
static QUIET: Mutex<()> = Mutex::new(());

fn quiet() -> std::sync::MutexGuard<'static, ()> {
    QUIET
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

const MOMENT: Duration = Duration::from_millis(300);

/// Answers every command with the same bytes.
fn parrot(reply: &'static [u8]) -> Scripted {
    Scripted::start(move |_, mut peer| {
        while peer.command().is_some() {
            peer.stream.write_all(reply).unwrap();
        }
    })
}

/// One try at each verb, by a new store.
fn each_verb(server: &Scripted) -> Vec<(&'static str, RedisStore, Result<(), StoreError>)> {
    let expected = Expected::Exactly(b"1");
    ["load", "create", "replace", "rotate", "delete"]
        .into_iter()
        .map(|verb| {
            let store = RedisStore::new(server.endpoint(), 1);
            let call = call();
            let outcome = match verb {
                "load" => store.load(b"k", None, &call).map(drop),
                "create" => store.create(b"k", b"1", hour(), &call).map(drop),
                "replace" => store.replace(b"k", expected, b"2", hour(), &call).map(drop),
                "rotate" => store
                    .rotate(b"k", b"l", expected, b"2", hour(), &call)
                    .map(drop),
                _ => store.delete(b"k", expected, &call).map(drop),
            };
            (verb, store, outcome)
        })
        .collect()
}

#[test]
fn a_reply_of_the_wrong_kind_is_an_error_and_ends_the_connection() {
    // Each with the verbs that it could be a reply to.
    for (reply, fits) in [
        (&b"+OK\r\n"[..], &["create"][..]),
        (b"+QUEUED\r\n", &[]),
        (b":0\r\n", &["replace", "rotate", "delete"]),
        (b":1\r\n", &["replace", "rotate", "delete"]),
        (b":3\r\n", &[]),
        (b"$2\r\nOK\r\n", &["load", "replace", "rotate", "delete"]),
        (b"$-1\r\n", &["load", "create"]),
        (b"_\r\n", &["load", "create"]),
        (b"*-1\r\n", &["load", "create"]),
        (b"*0\r\n", &[]),
        (b"*1\r\n$1\r\na\r\n", &[]),
        (b"#t\r\n", &[]),
        (b",1\r\n", &[]),
        (b"%0\r\n", &[]),
        (b"~0\r\n", &[]),
        (b"=5\r\ntxt:a\r\n", &[]),
        (b"(1\r\n", &[]),
        (b">2\r\n+invalidate\r\n*0\r\n", &[]),
        (b"|1\r\n+a\r\n+b\r\n$1\r\na\r\n", &[]),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", &[]),
        (b"\r\n", &[]),
        (b"+OK\r\n+OK\r\n", &[]),
        (b"$1\r\na\r\n\r\n", &[]),
        (b"$1\r\na\r\n$", &[]),
    ] {
        let server = parrot(reply);
        for (verb, store, outcome) in each_verb(&server) {
            let shown = format!("{} to {verb}: {:?}", reply.escape_ascii(), outcome.is_ok());
            if fits.contains(&verb) {
                assert!(outcome.is_ok(), "{shown}");
                continue;
            }
            assert!(matches!(outcome, Err(StoreError::Protocol(_))), "{shown}");
            let before = server.connections();
            let _ = store.load(b"k", None, &call());
            assert_eq!(server.connections(), before + 1, "{shown}");
        }
    }
}

#[test]
fn an_error_is_told_at_once_and_the_connection_goes_on() {
    for (line, ends) in [
        ("LOADING Redis is loading the dataset in memory", false),
        ("MISCONF Redis is configured to save RDB snapshots", false),
        ("BUSY Redis is busy running a script", false),
        ("CLUSTERDOWN The cluster is down", false),
        ("MOVED 1 127.0.0.1:1", false),
        ("EXECABORT Transaction discarded", false),
        ("ERR whatever", false),
        (
            "READONLY You can't write against a read only replica.",
            true,
        ),
        ("MASTERDOWN Link with MASTER is down", true),
        ("NOAUTH Authentication required.", true),
    ] {
        let server = Scripted::start(move |_, mut peer| {
            while peer.command().is_some() {
                write!(peer.stream, "-{line}\r\n").unwrap();
            }
        });
        for (verb, store, outcome) in each_verb(&server) {
            let code = line.split(' ').next().unwrap();
            match outcome {
                Err(StoreError::Refused { code: found, .. }) => assert_eq!(&*found, code),
                other => panic!("{other:?} to {verb}"),
            }
            let before = server.connections();
            let _ = store.load(b"k", None, &call());
            assert_eq!(
                server.connections() - before,
                usize::from(ends),
                "{line} to {verb}"
            );
        }
    }
    // The server that forgets a script even while it is told it.
    let server = parrot(b"-NOSCRIPT No matching script.\r\n");
    let store = RedisStore::new(server.endpoint(), 1);
    let outcome = store.delete(b"k", Expected::Any, &call());
    assert!(matches!(outcome, Err(StoreError::Protocol(_))));
}

#[test]
fn an_errors_words_may_hold_anything_and_are_not_shown() {
    let server = parrot(b"-s3cret-id is what you sent\r\n");
    for (_, _, outcome) in each_verb(&server) {
        let error = outcome.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

/// Waits beyond the deadline.
struct Patient;

impl Waiter for Patient {
    fn wait(&self, fd: i32, interest: Interest, _: Deadline) -> Result<Waited, StoreError> {
        PollWaiter.wait(fd, interest, Deadline::after(Duration::from_secs(60)))
    }
}

#[test]
fn lengths_are_not_believed() {
    let _quiet = quiet();
    for reply in [
        &b"$67174401\r\n"[..],
        b"$9223372036854775807\r\n",
        b"$-9223372036854775808\r\n",
        b"*2147483647\r\n",
        b"*9223372036854775807\r\n",
        b"%4611686018427387904\r\n",
        b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
    ] {
        let server = parrot(reply);
        let start = Instant::now();
        for (verb, _, outcome) in each_verb(&server) {
            assert!(matches!(outcome, Err(StoreError::Protocol(_))), "{verb}");
        }
        assert!(start.elapsed() < MOMENT);
    }
    // A flood without an end is not read to its end.
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let server = Scripted::start(move |_, mut peer| {
        peer.command();
        let _ = peer.stream.write_all(b"$67000000\r\n");
        let flood = vec![b'x'; 1 << 16];
        while peer.stream.write_all(&flood).is_ok() {
            count.fetch_add(flood.len(), Ordering::Relaxed);
        }
    });
    let store = RedisStore::new(server.endpoint(), 1);
    assert!(load(&store, Duration::from_secs(60)).is_err());
    let sent = sent.load(Ordering::Relaxed);
    assert!((60 << 20..100 << 20).contains(&sent), "{sent} bytes");
    // Nor beyond the deadline, which no wait is there to notice.
    let call = Call {
        deadline: Deadline::after(Duration::from_millis(10)),
        waiter: &Patient,
    };
    let error = store.load(b"k", None, &call).err().unwrap();
    assert_eq!(error, StoreError::Unreachable(Unreachable::TimedOut));
}

#[test]
fn what_comes_unasked_on_an_idle_connection_ends_it() {
    for stray in [&b"$7\r\nforeign\r\n"[..], b"\r\n", b"$", b"+OK\r\n", b""] {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let server = Scripted::start(move |number, mut peer| {
            peer.command();
            write!(peer.stream, "$1\r\n{number}\r\n").unwrap();
            // Later than the reply has been read.
            sleep(Duration::from_millis(50));
            peer.stream.write_all(stray).unwrap();
            if stray.is_empty() {
                peer.stream.shutdown(Shutdown::Both).unwrap();
            }
            count.fetch_add(1, Ordering::Relaxed);
            // What is asked on this connection gets the stray bytes for a reply.
            while peer.command().is_some() {}
        });
        let store = RedisStore::new(server.endpoint(), 1);
        for number in 0..3 {
            let loaded = load(&store, Duration::from_secs(5)).unwrap();
            is(loaded, Loaded::Record(number.to_string().into()));
            while sent.load(Ordering::Relaxed) <= number {
                sleep(Duration::from_millis(1));
            }
        }
    }
}

/// A server whose first replies on each connection are good, and whose next one is cut after so many bytes.
fn cutter(good: usize, cut: Arc<AtomicUsize>, reset: bool) -> Scripted {
    Scripted::start(move |_, mut peer| {
        for _ in 0..good {
            if peer.command().is_none() {
                return;
            }
            peer.stream.write_all(REPLY).unwrap();
        }
        if peer.command().is_none() {
            return;
        }
        let cut = cut.load(Ordering::Relaxed);
        peer.stream.write_all(&REPLY[..cut]).unwrap();
        if cut == REPLY.len() {
            while peer.command().is_some() {}
        }
        if reset {
            peer.reset();
        }
    })
}

const REPLY: &[u8] = b"$12\r\nhello\r\nworld\r\n";

#[test]
fn a_reply_cut_anywhere_is_none() {
    let _quiet = quiet();
    for reset in [false, true] {
        for good in [0, 1] {
            let cut = Arc::new(AtomicUsize::new(0));
            let server = cutter(good, Arc::clone(&cut), reset);
            for at in 0..=REPLY.len() {
                cut.store(at, Ordering::Relaxed);
                let store = RedisStore::new(server.endpoint(), 1);
                for _ in 0..good {
                    is(
                        load(&store, MOMENT).unwrap(),
                        Loaded::Record(b"hello\r\nworld".to_vec()),
                    );
                }
                let before = server.connections();
                let start = Instant::now();
                let outcome = load(&store, MOMENT);
                assert!(start.elapsed() < MOMENT + GRACE);
                let opened = server.connections() - before;
                let shown = format!("cut at {at}, after {good}, reset {reset}");
                if at == REPLY.len() || (at == 0 && good == 1) {
                    // The one repeat: a kept connection that ended before any byte of the reply.
                    assert!(outcome.is_ok(), "{shown}");
                    assert_eq!(opened, usize::from(good == 0 || at == 0), "{shown}");
                } else {
                    let error = outcome.err().unwrap();
                    assert!(
                        matches!(
                            error,
                            StoreError::Unreachable(Unreachable::Closed | Unreachable::Io(_))
                        ),
                        "{shown}: {error}"
                    );
                    assert_eq!(opened, usize::from(good == 0), "{shown}");
                }
            }
        }
    }
}

#[test]
fn a_command_is_repeated_once_and_no_more() {
    // Every connection answers its first command and hangs up on its second.
    let commands = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&commands);
    let server = Scripted::start(move |number, mut peer| {
        for _ in 0..2 {
            if peer.command().is_none() {
                return;
            }
            count.fetch_add(1, Ordering::Relaxed);
            if number > 0 {
                return;
            }
            if count.load(Ordering::Relaxed) == 1 {
                peer.stream.write_all(REPLY).unwrap();
            }
        }
    });
    let store = RedisStore::new(server.endpoint(), 4);
    assert!(load(&store, MOMENT).is_ok());
    assert!(load(&store, MOMENT).is_err());
    assert_eq!(commands.load(Ordering::Relaxed), 3);
}

/// A reply that was lost with its connection, of a command that was carried out.
#[test]
fn a_repeat_finds_its_own_work_done() {
    let real = Server::start();
    let port = real.port;
    for verb in ["load", "create", "replace", "rotate", "delete"] {
        // Passes a command and its reply, then carries out the next one and hangs up.
        let server = Scripted::start(move |number, mut peer| {
            let mut upstream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let mut passed = 0;
            while let Some(words) = peer.command() {
                let command: Vec<_> = words
                    .iter()
                    .flat_map(|word| {
                        [format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat()
                    })
                    .collect();
                upstream
                    .write_all(format!("*{}\r\n", words.len()).as_bytes())
                    .unwrap();
                upstream.write_all(&command).unwrap();
                let mut reply = vec![0; 4096];
                let count = upstream.read(&mut reply).unwrap();
                if number == 0 && passed == 1 {
                    return;
                }
                passed += 1;
                peer.stream.write_all(&reply[..count]).unwrap();
            }
        });
        let [old, new] = ["old", "new"].map(|name| format!("{verb} {name}").into_bytes());
        let direct = RedisStore::new(real.tcp(), 1);
        if verb != "create" {
            direct.create(&old, b"1", hour(), &call()).unwrap();
        }
        // The scripts are known to the server, so that each verb is one command.
        direct
            .replace(b"-", Expected::Any, b"1", hour(), &call())
            .unwrap();
        direct
            .rotate(b"-", b"+", Expected::Any, b"1", hour(), &call())
            .unwrap();
        direct.delete(b"-", Expected::Any, &call()).unwrap();
        let store = RedisStore::new(server.endpoint(), 1);
        store.load(b"warm", None, &call()).unwrap();
        let expected = Expected::Exactly(b"1");
        match verb {
            "load" => is(
                store.load(&old, None, &call()).unwrap(),
                Loaded::Record(b"1".to_vec()),
            ),
            "create" => {
                is(
                    store.create(&old, b"1", hour(), &call()).unwrap(),
                    Created::Done,
                );
                is(
                    store.create(&old, b"1", hour(), &call()).unwrap(),
                    Created::Exists,
                );
            }
            "replace" => is(
                store
                    .replace(&old, expected, b"2", hour(), &call())
                    .unwrap(),
                Replaced::Done,
            ),
            "rotate" => {
                let outcome = store.rotate(&old, &new, expected, b"2", hour(), &call());
                is(outcome.unwrap(), Replaced::Done);
                is(store.load(&old, None, &call()).unwrap(), Loaded::Absent);
            }
            _ => is(
                store.delete(&old, expected, &call()).unwrap(),
                Replaced::Done,
            ),
        }
        assert_eq!(server.connections(), 2, "{verb}");
    }
    // Somebody else's record under the key is no work of ours.
    let direct = RedisStore::new(real.tcp(), 1);
    direct
        .create(b"theirs", b"theirs", hour(), &call())
        .unwrap();
    is(
        direct.create(b"theirs", b"ours", hour(), &call()).unwrap(),
        Created::Exists,
    );
}

#[test]
fn silence_and_trickles_end_with_the_deadline() {
    let _quiet = quiet();
    // Nothing is ever said: at the first command, at the greeting, in the middle of a reply.
    for said in [&b""[..], b"$", b"$12\r\nhello"] {
        let server = Scripted::start(move |_, mut peer| {
            peer.command();
            peer.stream.write_all(said).unwrap();
            sleep(Duration::from_secs(3));
        });
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let mut endpoint = server.endpoint();
            endpoint.protocol = protocol;
            ends_in_time(&RedisStore::new(endpoint, 1));
        }
    }
    // A byte every 10 ms is fine if there are few enough of them.
    let trickle = |reply: Vec<u8>| {
        Scripted::start(move |_, mut peer| {
            peer.command();
            for byte in &reply {
                if peer.stream.write_all(&[*byte]).is_err() {
                    return;
                }
                sleep(Duration::from_millis(10));
            }
            while peer.command().is_some() {}
        })
    };
    let server = trickle(REPLY.to_vec());
    let store = RedisStore::new(server.endpoint(), 1);
    is(
        load(&store, Duration::from_secs(5)).unwrap(),
        Loaded::Record(b"hello\r\nworld".to_vec()),
    );
    for long in [
        [b"$1000\r\n".to_vec(), vec![b'x'; 1000]].concat(),
        vec![b'+'; 1000],
    ] {
        ends_in_time(&RedisStore::new(trickle(long).endpoint(), 1));
    }
    // Nobody takes the connection out of the queue, which is full.
    let full = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = full.local_addr().unwrap();
    let socket = socket2::SockRef::from(&full);
    socket.listen(1).unwrap();
    let waiting: Vec<_> = (0..8)
        .filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(20)).ok())
        .collect();
    ends_in_time(&RedisStore::new(
        Endpoint::tcp("127.0.0.1", address.port()),
        1,
    ));
    drop(waiting);
    let directory = redis_server::Directory::new();
    let path = directory.path().join("full");
    let full = std::os::unix::net::UnixListener::bind(&path).unwrap();
    socket2::SockRef::from(&full).listen(1).unwrap();
    let waiting: Vec<_> = (0..2)
        .map(|_| std::os::unix::net::UnixStream::connect(&path).unwrap())
        .collect();
    ends_in_time(&RedisStore::new(Endpoint::unix(&path), 1));
    // Room in the queue is found again.
    let opened = std::thread::spawn(move || {
        sleep(Duration::from_millis(50));
        let mut taken = [
            full.accept().unwrap(),
            full.accept().unwrap(),
            full.accept().unwrap(),
        ];
        taken[2].0.write_all(b"$-1\r\n").unwrap();
        sleep(Duration::from_millis(200));
    });
    is(
        load(
            &RedisStore::new(Endpoint::unix(&path), 1),
            Duration::from_secs(5),
        )
        .unwrap(),
        Loaded::Absent,
    );
    opened.join().unwrap();
    drop(waiting);
}

fn ends_in_time(store: &RedisStore) {
    ends_within(MOMENT, |call| {
        let start = Instant::now();
        let error = store.load(b"k", None, call).err().unwrap();
        assert_eq!(error, StoreError::Unreachable(Unreachable::TimedOut));
        assert!(start.elapsed() > MOMENT / 2, "not before its time");
    });
}

/// May block, and counts how often it is asked to wait and how often to look up.
#[derive(Default)]
struct Blocking {
    waits: AtomicUsize,
    looks: AtomicUsize,
}

impl Waiter for Blocking {
    fn wait(&self, fd: i32, interest: Interest, deadline: Deadline) -> Result<Waited, StoreError> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        PollWaiter.wait(fd, interest, deadline)
    }

    fn may_block(&self) -> bool {
        true
    }

    fn look_up(&self) -> Result<(), StoreError> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A read blocks for no longer than a slice of 100 ms, and not at all where the deadline comes sooner.
#[test]
fn a_read_blocks_in_slices_and_not_beyond_the_deadline() {
    let _quiet = quiet();
    let server = Scripted::start(|_, mut peer| {
        while peer.command().is_some() {
            sleep(Duration::from_millis(250));
            peer.stream.write_all(REPLY).unwrap();
        }
    });
    let store = RedisStore::new(server.endpoint(), 1);
    let ask = |time: Duration| {
        let waiter = Blocking::default();
        let call = Call {
            deadline: Deadline::after(time),
            waiter: &waiter,
        };
        let outcome = store.load(b"k", None, &call);
        let counts = [waiter.waits, waiter.looks].map(AtomicUsize::into_inner);
        (outcome, counts)
    };
    let (outcome, [_, looks]) = ask(Duration::from_secs(5));
    is(outcome.unwrap(), Loaded::Record(b"hello\r\nworld".to_vec()));
    assert_eq!(looks, 2);
    // All of 50 ms is waited for, and none of it blocks.
    let (outcome, [waits, looks]) = ask(Duration::from_millis(50));
    let timed_out = StoreError::Unreachable(Unreachable::TimedOut);
    assert_eq!(outcome.err(), Some(timed_out));
    assert_eq!((waits, looks), (1, 0));
}

#[test]
fn a_large_command_that_is_not_taken_ends_with_the_deadline() {
    let _quiet = quiet();
    let server = Scripted::start(|_, peer| {
        sleep(Duration::from_secs(3));
        drop(peer);
    });
    let store = RedisStore::new(server.endpoint(), 1);
    let record = vec![b'x'; 30 << 20];
    ends_within(MOMENT, |call| {
        let error = store.create(b"k", &record, hour(), call).err().unwrap();
        assert_eq!(error, StoreError::Unreachable(Unreachable::TimedOut));
    });
}

#[test]
fn no_connection_is_kept_with_a_watch_on_it() {
    for (unwatched, connections) in [("+OK\r\n", 1), ("-ERR no\r\n", 2)] {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let server = Scripted::start(move |_, mut peer| {
            while let Some(words) = peer.command() {
                let name = String::from_utf8(words[0].clone()).unwrap();
                let reply = match &*name {
                    "WATCH" => "+OK\r\n",
                    "UNWATCH" => unwatched,
                    _ => "$5\r\nother\r\n",
                };
                log.lock().unwrap().push(name);
                peer.stream.write_all(reply.as_bytes()).unwrap();
            }
        });
        let store = RedisStore::new(server.endpoint(), 1);
        let (old, new) = (vec![b'o'; 100_000], vec![b'n'; 100_000]);
        is(
            store
                .replace(b"k", Expected::Exactly(&old), &new, hour(), &call())
                .unwrap(),
            Replaced::Changed(b"other".to_vec()),
        );
        assert_eq!(*heard.lock().unwrap(), ["WATCH", "GET", "UNWATCH"]);
        is(
            load(&store, MOMENT).unwrap(),
            Loaded::Record(b"other".to_vec()),
        );
        assert_eq!(server.connections(), connections);
    }
}
