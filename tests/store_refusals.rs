//! What a redis-server refuses is told by its cause, and the connection goes on.
#![allow(clippy::unwrap_used)]

#[path = "common/acceptance.rs"]
#[allow(dead_code)]
mod acceptance;
#[path = "common/redis_server.rs"]
mod redis_server;

use std::net::TcpStream;
use std::time::Duration;

use acceptance::{call, hour, is, load};
use flask_session_rs::store::redis::RedisStore;
use flask_session_rs::store::{
    Created, Expected, Loaded, Protocol, Replaced, SessionStore, StoreError, Unreachable,
};
use redis_server::{Server, free_port};

/// The code of a refusal.
fn code(error: &StoreError) -> &str {
    match error {
        StoreError::Refused { code, .. } => code,
        other => panic!("{other}"),
    }
}

/// A store that logs in.
fn login(
    server: &Server,
    user: Option<&str>,
    password: Option<&str>,
    protocol: Protocol,
) -> RedisStore {
    let mut endpoint = server.tcp();
    endpoint.username = user.map(Into::into);
    endpoint.password = password.map(Into::into);
    endpoint.protocol = protocol;
    RedisStore::new(endpoint, 2)
}

#[test]
fn users_passwords_and_permissions() {
    const PASSWORD: &str = "correct horse/battery?staple#%";
    let server = Server::with(&["--unixsocketperm", "700"]);
    for rule in [
        &[
            "ACL",
            "SETUSER",
            "app",
            "on",
            ">correct horse/battery?staple#%",
            "~*",
            "+@all",
        ][..],
        &[
            "ACL", "SETUSER", "reader", "on", ">r", "~*", "+get", "+getex",
        ],
        &[
            "ACL",
            "SETUSER",
            "narrow",
            "on",
            ">n",
            "~session:*",
            "+@all",
        ],
        &["ACL", "SETUSER", "half", "on", ">h", "~*", "+@all", "-del"],
        &["ACL", "SETUSER", "empty", "on", "nopass", "~*", "+@all"],
    ] {
        server.ask(rule);
    }
    let with = |user, password, protocol| login(&server, user, password, protocol);
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let app = with(Some("app"), Some(PASSWORD), protocol);
        is(load(&app, b"k"), Loaded::Absent);
        is(
            load(&with(Some("empty"), None, protocol), b"k"),
            Loaded::Absent,
        );
        for (user, password) in [(Some("app"), "wrong"), (Some("nobody"), PASSWORD)] {
            let error = with(user, Some(password), protocol).load(b"k", None, &call());
            let error = error.err().unwrap();
            assert_eq!(code(&error), "WRONGPASS");
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains(password) && !shown.contains("nobody"),
                "{shown}"
            );
        }
        let reader = with(Some("reader"), Some("r"), protocol);
        is(load(&reader, b"k"), Loaded::Absent);
        let error = reader.create(b"k", b"1", hour(), &call()).err().unwrap();
        assert_eq!(code(&error), "NOPERM");
        let error = reader.delete(b"k", Expected::Any, &call()).err().unwrap();
        assert_eq!(code(&error), "NOPERM");
        let narrow = with(Some("narrow"), Some("n"), protocol);
        is(load(&narrow, b"session:k"), Loaded::Absent);
        let error = narrow.load(b"other:k", None, &call()).err().unwrap();
        assert_eq!(code(&error), "NOPERM");
        let error = narrow
            .delete(b"other:k", Expected::Any, &call())
            .err()
            .unwrap();
        assert_eq!(code(&error), "NOPERM");
        // What fails in the middle of a script leaves the old record whole.
        let half = with(Some("half"), Some("h"), protocol);
        app.delete(b"h", Expected::Any, &call()).unwrap();
        half.create(b"h", b"1", hour(), &call()).unwrap();
        let error = half
            .rotate(b"h", b"i", Expected::Any, b"2", hour(), &call())
            .err()
            .unwrap();
        assert_eq!(code(&error), "NOPERM");
        is(load(&app, b"h"), Loaded::Record(b"1".to_vec()));
        app.delete(b"i", Expected::Any, &call()).unwrap();
    }
}

#[test]
fn a_connection_goes_on_after_a_refusal() {
    let server = Server::start();
    server.ask(&["ACL", "SETUSER", "reader", "on", ">r", "~*", "+get"]);
    let reader = login(&server, Some("reader"), Some("r"), Protocol::Resp2);
    let before = server.clients();
    for _ in 0..5 {
        assert!(reader.create(b"k", b"1", hour(), &call()).is_err());
        is(load(&reader, b"k"), Loaded::Absent);
    }
    assert_eq!(server.clients(), before + 1);
}

#[test]
fn a_password_for_everybody() {
    let server = Server::start();
    let with = |password, protocol| login(&server, None, password, protocol);
    // A password for everybody, and none or the wrong one given.
    server.ask(&["CONFIG", "SET", "requirepass", "s3cret"]);
    let error = with(None, Protocol::Resp2)
        .load(b"k", None, &call())
        .err()
        .unwrap();
    assert_eq!(code(&error), "NOAUTH");
    let error = with(None, Protocol::Resp3)
        .load(b"k", None, &call())
        .err()
        .unwrap();
    assert_eq!(code(&error), "NOAUTH");
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        is(load(&with(Some("s3cret"), protocol), b"k"), Loaded::Absent);
        let error = with(Some("other"), protocol)
            .load(b"k", None, &call())
            .err()
            .unwrap();
        assert_eq!(code(&error), "WRONGPASS");
    }
}

#[test]
fn a_password_that_nobody_wants_and_a_database_that_is_not_there() {
    let server = Server::start();
    let mut endpoint = server.tcp();
    endpoint.password = Some("p4ssword".into());
    let error = RedisStore::new(endpoint, 1)
        .load(b"k", None, &call())
        .err()
        .unwrap();
    assert_eq!(code(&error), "ERR");
    assert!(
        error.to_string().contains("take it out of the URL"),
        "{error}"
    );
    let mut endpoint = server.tcp();
    endpoint.database = 4096;
    let error = RedisStore::new(endpoint, 1)
        .load(b"k", None, &call())
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("no database of that number"),
        "{error}"
    );
}

#[test]
fn memory_used_up_and_a_replica_and_too_many_clients() {
    let server = Server::start();
    let store = RedisStore::new(server.tcp(), 1);
    store.create(b"k", b"1", hour(), &call()).unwrap();
    store
        .replace(b"k", Expected::Any, b"1", hour(), &call())
        .unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = store.create(b"l", b"1", hour(), &call()).err().unwrap();
    assert_eq!(code(&error), "OOM");
    let error = store
        .replace(b"k", Expected::Any, b"2", hour(), &call())
        .err()
        .unwrap();
    assert_eq!(code(&error), "OOM");
    let error = store
        .rotate(b"k", b"l", Expected::Any, b"2", hour(), &call())
        .err()
        .unwrap();
    assert_eq!(code(&error), "OOM");
    is(load(&store, b"k"), Loaded::Record(b"1".to_vec()));
    is(
        store.delete(b"k", Expected::Any, &call()).unwrap(),
        Replaced::Done,
    );
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    let primary = free_port().to_string();
    server.ask(&["REPLICAOF", "127.0.0.1", &primary]);
    let error = store.create(b"l", b"1", hour(), &call()).err().unwrap();
    assert_eq!(code(&error), "READONLY");
    let error = store.replace(b"l", Expected::Any, b"1", hour(), &call());
    // Nothing is there to be replaced, so nothing is written.
    is(error.unwrap(), Replaced::Gone);
    server.ask(&["CONFIG", "SET", "replica-serve-stale-data", "no"]);
    let error = store.load(b"l", None, &call()).err().unwrap();
    assert_eq!(code(&error), "MASTERDOWN");
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    is(
        store.create(b"l", b"1", hour(), &call()).unwrap(),
        Created::Done,
    );
    server.ask(&["CONFIG", "SET", "maxclients", "1"]);
    drop(store);
    std::thread::sleep(Duration::from_millis(50));
    let other = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let store = RedisStore::new(server.tcp(), 1);
    match store.load(b"l", None, &call()).err().unwrap() {
        // The server closes at once: its words may be lost on the way.
        StoreError::Unreachable(Unreachable::Closed | Unreachable::Io(_)) => {}
        error => assert!(error.to_string().contains("maxclients"), "{error}"),
    }
    drop(other);
}
