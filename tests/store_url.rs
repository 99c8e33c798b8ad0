//! What a store's URL says, and what is said of a wrong one.
#![allow(clippy::unwrap_used)]

use flask_session_rs::store::{Address, Endpoint, Protocol, Tls, Verification};

fn endpoint(url: &str) -> Endpoint {
    url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn reads_hosts_ports_databases_users_and_passwords() {
    let tcp = |host: &str, port| Endpoint::tcp(host, port);
    let with = |mut endpoint: Endpoint, database, user: Option<&str>, password: Option<&[u8]>| {
        endpoint.database = database;
        endpoint.username = user.map(Into::into);
        endpoint.password = password.map(Into::into);
        endpoint
    };
    for (url, expected) in [
        ("redis://localhost", tcp("localhost", 6379)),
        ("redis://localhost/", tcp("localhost", 6379)),
        ("REDIS://localhost:1", tcp("localhost", 1)),
        (
            "valkey://cache.internal:65535",
            tcp("cache.internal", 65535),
        ),
        (
            "redis://my_redis:6380/2",
            with(tcp("my_redis", 6380), 2, None, None),
        ),
        ("redis://10.0.0.1/0", tcp("10.0.0.1", 6379)),
        (
            "redis://[::1]:7000/15",
            with(tcp("::1", 7000), 15, None, None),
        ),
        ("redis://bücher.example", tcp("bücher.example", 6379)),
        ("redis://h?db=3", with(tcp("h", 6379), 3, None, None)),
        // The option has precedence over the path, as in redis-py.
        ("redis://h/2?db=3", with(tcp("h", 6379), 3, None, None)),
        ("redis://:pw@h", with(tcp("h", 6379), 0, None, Some(b"pw"))),
        (
            "redis://user@h",
            with(tcp("h", 6379), 0, Some("user"), None),
        ),
        (
            "redis://user:@h",
            with(tcp("h", 6379), 0, Some("user"), None),
        ),
        (
            "redis://u%40x:p%40%2F%3A%3F%23%25%ff@h:1/1",
            with(tcp("h", 1), 1, Some("u@x"), Some(b"p@/:?#%\xff")),
        ),
        (
            "redis://a:b@h?username=c&password=d",
            with(tcp("h", 6379), 0, Some("a"), Some(b"b")),
        ),
        (
            "redis://h?username=c&password=d%26",
            with(tcp("h", 6379), 0, Some("c"), Some(b"d&")),
        ),
        ("unix:///run/redis.sock", Endpoint::unix("/run/redis.sock")),
        (
            "redis+unix:///run/r%20s.sock?db=4",
            with(Endpoint::unix("/run/r s.sock"), 4, None, None),
        ),
        (
            "unix://user:pw@/run/redis.sock",
            with(
                Endpoint::unix("/run/redis.sock"),
                0,
                Some("user"),
                Some(b"pw"),
            ),
        ),
        (
            "unix:///run/a@b.sock?password=p",
            with(Endpoint::unix("/run/a@b.sock"), 0, None, Some(b"p")),
        ),
    ] {
        assert_eq!(endpoint(url), expected, "{url}");
    }
    assert_eq!(endpoint("redis://h?protocol=2").protocol, Protocol::Resp2);
    assert_eq!(endpoint("redis://h?protocol=3").protocol, Protocol::Resp3);
}

#[test]
fn reads_how_tls_is_done() {
    let file = |name: &str| Some(name.into());
    for (query, expected) in [
        ("", Tls::default()),
        (
            "?ssl_cert_reqs=required&ssl_check_hostname=True",
            Tls::default(),
        ),
        ("?ssl_cert_reqs=optional", Tls::default()),
        (
            "?ssl_cert_reqs=none",
            Tls {
                verification: Verification::Nothing,
                ..Tls::default()
            },
        ),
        (
            "?ssl_check_hostname=false",
            Tls {
                verification: Verification::AnyHost,
                ..Tls::default()
            },
        ),
        // Nothing is less than any host, in whichever order.
        (
            "?ssl_check_hostname=false&ssl_cert_reqs=none",
            Tls {
                verification: Verification::Nothing,
                ..Tls::default()
            },
        ),
        (
            "?ssl_cert_reqs=none&ssl_check_hostname=false",
            Tls {
                verification: Verification::Nothing,
                ..Tls::default()
            },
        ),
        (
            "?ssl_ca_certs=/etc/ca+1.pem&ssl_certfile=c%20d.pem&ssl_keyfile=k.pem",
            Tls {
                ca_file: file("/etc/ca+1.pem"),
                certificate: file("c d.pem"),
                key: file("k.pem"),
                ..Tls::default()
            },
        ),
    ] {
        for scheme in ["rediss", "valkeys"] {
            let url = format!("{scheme}://h:6380/1{query}");
            let endpoint = endpoint(&url);
            assert_eq!(endpoint.tls, Some(expected.clone()), "{url}");
            assert!(matches!(endpoint.address, Address::Tcp { port: 6380, .. }));
        }
    }
    assert_eq!(endpoint("redis://h").tls, None);
}

#[test]
fn says_what_to_mend_and_no_more() {
    for (url, says) in [
        ("", "begins with redis://"),
        ("localhost:6379", "begins with redis://"),
        ("http://h", "begins with redis://"),
        ("redis:h", "begins with redis://"),
        ("redis://", "host"),
        ("redis:///0", "names no host"),
        ("redis://:6379", "host"),
        ("redis://h:0", "port"),
        ("redis://h:65536", "port"),
        ("redis://h:x", "port"),
        ("redis://h/x", "number of a database"),
        ("redis://h/-1", "number of a database"),
        ("redis://h/+1", "number of a database"),
        ("redis://h/1/2", "number of a database"),
        ("redis://h/99999999999", "number of a database"),
        ("redis://h?db=x", "option db"),
        ("redis://h?db=", "option db"),
        ("redis://h?protocol=4", "option protocol"),
        (
            "redis://h?socket_timeout=5",
            "option socket_timeout is unknown",
        ),
        ("redis://h?db=1&db=2", "option db twice"),
        ("redis://h?ssl_ca_certs=x", "rediss://"),
        ("unix:///s?ssl_cert_reqs=none", "rediss://"),
        (
            "rediss://h?ssl_cert_reqs=maybe",
            "required, optional or none",
        ),
        ("rediss://h?ssl_check_hostname=perhaps", "true or false"),
        ("rediss://h?ssl_ca_certs=", "path of a PEM file"),
        ("redis://h#f", "%23"),
        ("redis://a b", "spaces"),
        ("redis://h\r\n", "spaces or control"),
        ("redis://%ff", "UTF-8"),
        ("unix://", "absolute path"),
        ("unix:///", "no unix socket"),
        ("unix:///dir/", "no unix socket"),
        ("unix://host/run/redis.sock", "no host"),
        ("redis+unix://run", "absolute path"),
    ] {
        let error = url.parse::<Endpoint>().unwrap_err().to_string();
        assert!(error.contains(says), "{url}: {error}");
    }
}

#[test]
fn a_password_is_not_shown_however_wrong_the_url() {
    for url in [
        "redis://:s3cret#word@h",
        "redis://:s3cret?word@h",
        "redis://:s3cret/word@h/0",
        "redis://:s3cret@word@h:x",
        "redis://:s3cret@h:66666",
        "redis://:p@h?s3cret@i",
        "redis://:p@h?s3cret=1@i",
        "redis://:p@h?S3CRET=1",
        "redis://:s3cret@",
        "redis://s3cret",
        "s3cret",
        "unix://:s3cret@x/p",
        "redis://:s3cret%ff@h?x=1",
        "redis://s3cret%ff@h",
        "redis://h?password=s3cret&x=1",
        "redis://h?password=s3cret&password=s3cret",
    ] {
        match url.parse::<Endpoint>() {
            Err(error) => {
                let shown = format!("{error} {error:?}").to_lowercase();
                assert!(!shown.contains("s3cret"), "{url}: {shown}");
            }
            Ok(endpoint) => assert_eq!(url, "redis://s3cret", "{endpoint:?}"),
        }
    }
    let shown = format!("{:?}", endpoint("redis://user:s3cret@h"));
    assert!(!shown.contains("s3cret"), "{shown}");
}
