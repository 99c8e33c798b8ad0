//! A network that cuts, resets, swallows and delays at any byte: nobody reads or overwrites what is another's.
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
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use acceptance::{hour, within};
use flask_session_rs::store::redis::RedisStore;
use flask_session_rs::store::{Expected, Loaded, Replaced, SessionStore, StoreError};
use redis_server::Server;
use scripted::{Peer, Scripted};

/// What a proxy does with one direction of one connection.
#[derive(Clone, Copy)]
struct Fault {
    /// After how many bytes.
    at: usize,
    /// 0 cuts, 1 resets, 2 swallows the rest, 3 delays.
    kind: usize,
}

/// A small generator of numbers: the same in every run.
fn random(state: &AtomicU32) -> u32 {
    let step = |x: u32| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    state
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
        .unwrap()
        >> 8
}

fn pass(mut from: TcpStream, mut to: TcpStream, fault: Option<Fault>) {
    let (mut buffer, mut passed, mut swallows) = ([0; 4096], 0, false);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut bytes = &buffer[..count];
        if let Some(fault) = fault
            && (passed..passed + count).contains(&fault.at)
        {
            let (before, after) = bytes.split_at(fault.at - passed);
            let _ = to.write_all(before);
            bytes = after;
            match fault.kind {
                0 => break,
                1 => {
                    for end in [&from, &to] {
                        let _ = socket2::SockRef::from(end).set_linger(Some(Duration::ZERO));
                    }
                    break;
                }
                2 => swallows = true,
                _ => sleep(Duration::from_millis(60)),
            }
        }
        passed += count;
        if !swallows && to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// A proxy that does something to every connection, sooner or later, in one of its directions.
fn faulty_proxy(port: u16, faults: Arc<AtomicU64>) -> Scripted {
    let state = AtomicU32::new(7);
    Scripted::start(move |_, peer: Peer| {
        let upstream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        faults.fetch_add(1, Ordering::Relaxed);
        let [dice, at, kind] = [(); 3].map(|()| random(&state) as usize);
        // The handshake is in the first bytes: half of the faults are there.
        let reach = if dice & 2 == 0 { 60 } else { 2000 };
        let fault = Some(Fault {
            at: at % reach,
            kind: kind % 4,
        });
        let (commands, replies) = if dice & 1 == 0 {
            (fault, None)
        } else {
            (None, fault)
        };
        let ends = (
            peer.stream.try_clone().unwrap(),
            upstream.try_clone().unwrap(),
        );
        let there = std::thread::spawn(move || pass(ends.0, ends.1, commands));
        pass(upstream, peer.stream, replies);
        there.join().unwrap();
    })
}

/// How often a record repeats the name of its owner: a few bytes, some kilobytes, and what is more than a script takes.
const SIZES: [usize; 5] = [1, 20, 150, 1500, 12_000];

/// Records carry the name of their owner; whatever the network does, nobody reads or overwrites another's.
#[test]
fn no_fault_of_the_network_mixes_up_two_owners() {
    let server = Server::with(&["--requirepass", "pw"]);
    let faults = Arc::new(AtomicU64::new(0));
    let proxy = faulty_proxy(server.port, Arc::clone(&faults));
    let mut endpoint = proxy.endpoint();
    endpoint.password = Some("pw".into());
    let store = RedisStore::new(endpoint, 4);
    let mut direct = server.tcp();
    direct.password = Some("pw".into());
    let direct = RedisStore::new(direct, 1);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for owner in 0..6 {
            let (store, failures) = (&store, &failures);
            scope.spawn(move || {
                let key = format!("owner {owner}").into_bytes();
                let mine = |record: &[u8]| {
                    let tag = format!("<{owner}>").into_bytes();
                    record.chunks(3).all(|chunk| tag.starts_with(chunk)) && !record.is_empty()
                };
                for round in 1..60usize {
                    let time = within(Duration::from_millis(40));
                    let record = format!("<{owner}>")
                        .repeat(SIZES[round % SIZES.len()])
                        .into_bytes();
                    let now = match round % 4 {
                        0 => store.create(&key, &record, hour(), &time).err(),
                        1 | 2 => match store.load(&key, Some(hour()), &time) {
                            Ok(Loaded::Record(now)) => {
                                assert!(mine(&now), "another owner's record");
                                None
                            }
                            other => other.err(),
                        },
                        _ => match store.replace(
                            &key,
                            Expected::Exactly(b"-"),
                            &record,
                            hour(),
                            &time,
                        ) {
                            Ok(Replaced::Changed(now)) => {
                                assert!(mine(&now), "another owner's record");
                                store
                                    .replace(&key, Expected::Exactly(&now), &record, hour(), &time)
                                    .err()
                            }
                            other => other.err(),
                        },
                    };
                    failures.lock().unwrap().extend(now);
                }
            });
        }
    });
    for owner in 0..6 {
        let tag = format!("<{owner}>");
        match acceptance::load(&direct, format!("owner {owner}").as_bytes()) {
            Loaded::Record(now) => {
                let now = String::from_utf8(now).unwrap();
                assert_eq!(
                    now.replace(&tag, ""),
                    "",
                    "another owner's record is stored"
                );
            }
            Loaded::Absent => {}
            Loaded::Foreign => panic!("nobody writes such a thing"),
        }
    }
    for failure in failures.into_inner().unwrap() {
        assert!(matches!(failure, StoreError::Unreachable(_)), "{failure:?}");
    }
    let faults = faults.load(Ordering::Relaxed);
    assert!(faults > 100, "only {faults} faults");
}
