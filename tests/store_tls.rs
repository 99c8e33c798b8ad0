//! The store over TLS: with certificates that are good, and with each kind that is not.
#![allow(clippy::unwrap_used)]

#[path = "common/acceptance.rs"]
#[allow(dead_code)]
mod acceptance;
#[path = "common/redis_server.rs"]
mod redis_server;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use acceptance::{accept, call, ends_within, hour, is, load, within};
use flask_session_rs::store::redis::RedisStore;
use flask_session_rs::store::{
    Created, Endpoint, Loaded, Protocol, SessionStore, StoreError, Tls, Unreachable, Verification,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use redis_server::{Directory, Server, free_port};

/// An authority, and what it has signed, as PEM files in a directory.
struct Authority {
    directory: Directory,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Two authorities of one name would be told apart by their signatures only.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("authority {count}");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let directory = Directory::new();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            directory,
            issuer: Issuer::new(params, key),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `<name>.pem` and `<name>.key` for these hosts; valid until the end of the year.
    fn sign(&self, name: &str, hosts: &[&str], year: i32) {
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// A server under TLS, with one of the certificates, that asks clients for one or not.
    fn server(&self, certificate: &str, asks: bool, more: &[&str]) -> (Server, u16) {
        let port = free_port();
        let text = |name: &str| self.file(name).to_str().unwrap().to_owned();
        let (pem, key, ca) = (
            text(&format!("{certificate}.pem")),
            text(&format!("{certificate}.key")),
            text("ca.pem"),
        );
        let number = port.to_string();
        let asks = if asks { "yes" } else { "no" };
        let mut settings = vec![
            "--tls-port",
            &number,
            "--tls-cert-file",
            &pem,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &ca,
            "--tls-auth-clients",
            asks,
        ];
        settings.extend(more);
        (Server::with(&settings), port)
    }

    fn trusted(&self) -> Tls {
        Tls {
            ca_file: Some(self.file("ca.pem")),
            ..Tls::default()
        }
    }
}

fn store(host: &str, port: u16, tls: Tls) -> RedisStore {
    let mut endpoint = Endpoint::tcp(host, port);
    endpoint.tls = Some(tls);
    RedisStore::new(endpoint, 4)
}

/// What TLS says of a failed load.
fn complaint(store: &RedisStore) -> String {
    match store.load(b"k", None, &call()).err().unwrap() {
        StoreError::Unreachable(Unreachable::Tls(what)) => what,
        other => panic!("{other}"),
    }
}

#[test]
fn every_verb_and_size_over_tls() {
    let authority = Authority::new();
    authority.sign("server", &["localhost", "127.0.0.1"], 4000);
    for (version, protocol) in [("TLSv1.3", Protocol::Resp2), ("TLSv1.2", Protocol::Resp3)] {
        let (server, port) = authority.server("server", false, &["--tls-protocols", version]);
        let mut endpoint = Endpoint::tcp("127.0.0.1", port);
        endpoint.tls = Some(authority.trusted());
        endpoint.protocol = protocol;
        accept(&RedisStore::new(endpoint, 4), &|key| {
            let key = std::str::from_utf8(key).unwrap();
            server.ask(&["RPUSH", key, "a"]);
        });
    }
}

#[test]
fn a_connection_is_kept_under_tls_too() {
    let authority = Authority::new();
    authority.sign("server", &["localhost"], 4000);
    let (mut server, port) = authority.server("server", false, &[]);
    let store = store("localhost", port, authority.trusted());
    let received = |server: &Server| {
        let redis::Value::BulkString(info) = server.ask(&["INFO", "stats"]) else {
            panic!("a text");
        };
        let info = String::from_utf8(info).unwrap();
        let line = info
            .lines()
            .find(|line| line.starts_with("total_connections_received"));
        line.unwrap()
            .split_once(':')
            .unwrap()
            .1
            .parse::<u32>()
            .unwrap()
    };
    store.create(b"k", b"1", hour(), &call()).unwrap();
    let before = received(&server);
    for _ in 0..20 {
        is(load(&store, b"k"), Loaded::Record(b"1".to_vec()));
    }
    // The one that asks.
    assert_eq!(received(&server), before + 1);
    server.restart();
    is(load(&store, b"k"), Loaded::Absent);
    is(
        store.create(b"k", b"1", hour(), &call()).unwrap(),
        Created::Done,
    );
}

#[test]
fn who_is_not_who_they_should_be_is_not_spoken_to() {
    let authority = Authority::new();
    authority.sign("server", &["localhost"], 4000);
    authority.sign("expired", &["localhost"], 2020);
    authority.sign("elsewhere", &["elsewhere.example"], 4000);
    let stranger = Authority::new();
    let (_server, port) = authority.server("server", false, &[]);
    is(
        load(&store("localhost", port, authority.trusted()), b"k"),
        Loaded::Absent,
    );

    let lenient = |authority: &Authority, verification| Tls {
        verification,
        ..authority.trusted()
    };
    // An authority that is not trusted, be it the file's or the system's.
    for verification in [Verification::Full, Verification::AnyHost] {
        let unknown = store("localhost", port, lenient(&stranger, verification));
        assert!(
            complaint(&unknown).contains("UnknownIssuer"),
            "{}",
            complaint(&unknown)
        );
    }
    let system = complaint(&store("localhost", port, Tls::default()));
    assert!(system.contains("UnknownIssuer") || system.contains("no certificate authorities"));
    // A certificate for another host: of another name, of another kind.
    let (_other, elsewhere) = authority.server("elsewhere", false, &[]);
    for (host, port) in [("localhost", elsewhere), ("127.0.0.1", port)] {
        let wrong = store(host, port, authority.trusted());
        assert!(
            complaint(&wrong).contains("not valid for name"),
            "{}",
            complaint(&wrong)
        );
        for verification in [Verification::AnyHost, Verification::Nothing] {
            let told = store(host, port, lenient(&authority, verification));
            is(load(&told, b"k"), Loaded::Absent);
        }
    }
    // A certificate of last year.
    let (_old, expired) = authority.server("expired", false, &[]);
    for verification in [Verification::Full, Verification::AnyHost] {
        let old = store("localhost", expired, lenient(&authority, verification));
        assert!(complaint(&old).contains("xpired"), "{}", complaint(&old));
    }
    let told = store(
        "localhost",
        expired,
        lenient(&stranger, Verification::Nothing),
    );
    is(load(&told, b"k"), Loaded::Absent);
}

#[test]
fn a_client_shows_its_certificate() {
    let authority = Authority::new();
    authority.sign("server", &["localhost"], 4000);
    authority.sign("client", &["client"], 4000);
    authority.sign("other", &["other"], 4000);
    let stranger = Authority::new();
    stranger.sign("client", &["client"], 4000);
    let (_server, port) = authority.server("server", true, &[]);
    let with = |certificate: Option<PathBuf>, key: Option<PathBuf>| {
        let tls = Tls {
            certificate,
            key,
            ..authority.trusted()
        };
        store("localhost", port, tls)
    };
    let (pem, key) = (authority.file("client.pem"), authority.file("client.key"));
    is(
        load(&with(Some(pem.clone()), Some(key.clone())), b"k"),
        Loaded::Absent,
    );
    // Both in one file.
    let both = authority.file("both.pem");
    let text = [&pem, &key]
        .map(|file| std::fs::read_to_string(file).unwrap())
        .concat();
    std::fs::write(&both, text).unwrap();
    is(load(&with(Some(both), None), b"k"), Loaded::Absent);
    // None, and one of somebody else's authority. What the server says may be lost in the end of the connection.
    for store in [
        with(None, None),
        with(
            Some(stranger.file("client.pem")),
            Some(stranger.file("client.key")),
        ),
    ] {
        let error = store.load(b"k", None, &call()).err().unwrap();
        assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    }
    // What cannot be used is told by the name of the option, and before anything is connected.
    let (nothing, empty) = (authority.file("nothing"), authority.file("empty"));
    std::fs::write(&empty, "").unwrap();
    for (certificate, file, says) in [
        (
            Some(nothing.clone()),
            Some(key.clone()),
            "ssl_certfile cannot be read",
        ),
        (
            Some(empty.clone()),
            Some(key.clone()),
            "ssl_certfile holds no certificate",
        ),
        (
            Some(pem.clone()),
            Some(nothing.clone()),
            "ssl_keyfile cannot be read",
        ),
        (
            Some(pem.clone()),
            Some(empty.clone()),
            "ssl_keyfile holds no private key",
        ),
        (Some(pem.clone()), None, "ssl_keyfile holds no private key"),
        (
            Some(pem),
            Some(authority.file("other.key")),
            "do not belong together",
        ),
        (None, Some(key), "ssl_keyfile needs ssl_certfile"),
    ] {
        let what = complaint(&with(certificate, file));
        assert!(what.contains(says), "{what}");
    }
    for (file, says) in [
        (nothing, "ssl_ca_certs cannot be read"),
        (empty, "ssl_ca_certs holds no certificate"),
    ] {
        let tls = Tls {
            ca_file: Some(file),
            ..Tls::default()
        };
        let what = complaint(&store("localhost", port, tls));
        assert!(what.contains(says), "{what}");
    }
}

#[test]
fn a_server_in_the_clear_is_not_spoken_to_in_the_clear() {
    let server = Server::start();
    let authority = Authority::new();
    let mut endpoint = server.tcp();
    endpoint.tls = Some(authority.trusted());
    endpoint.password = Some("s3cret-password".into());
    let error = RedisStore::new(endpoint, 1)
        .load(b"k", None, &within(Duration::from_millis(300)))
        .err()
        .unwrap();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    // And one that listens to what it is sent: nothing of it can be read.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut endpoint = Endpoint::tcp("127.0.0.1", listener.local_addr().unwrap().port());
    endpoint.tls = Some(authority.trusted());
    endpoint.password = Some("s3cret-password".into());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"+OK\r\n+OK\r\n").unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        heard
    });
    let store = RedisStore::new(endpoint, 1);
    assert!(store.load(b"session:id", None, &call()).is_err());
    let heard = heard.join().unwrap();
    for secret in [&b"s3cret"[..], b"AUTH", b"session"] {
        assert!(!heard.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn a_handshake_has_the_deadline_of_its_call() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = Authority::new();
    let silent = store("127.0.0.1", port, authority.trusted());
    ends_within(Duration::from_millis(300), |call| {
        let error = silent.load(b"k", None, call).err().unwrap();
        assert_eq!(error, StoreError::Unreachable(Unreachable::TimedOut));
    });
}
