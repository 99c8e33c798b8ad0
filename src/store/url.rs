//! A store's URL, read as redis-py's `from_url` reads it, except that nothing is guessed and nothing is passed over.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{Endpoint, Protocol, Tls, Verification};

/// The port of Redis.
const PORT: u16 = 6379;

/// What to mend in a URL. Shows nothing of the URL but the name of an option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlError(String);

impl UrlError {
    /// A host of letters beyond ASCII for which there is no name in ASCII.
    pub fn of_host() -> Self {
        wrong("the host, in the URL or of the client, is no name")
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UrlError {}

/// The schemes, those of valkey-py among them: by what a server is reached, and whether under TLS.
const SCHEMES: [(&str, Way); 6] = [
    ("redis", Way::Tcp),
    ("valkey", Way::Tcp),
    ("rediss", Way::Tls),
    ("valkeys", Way::Tls),
    ("unix", Way::Unix),
    ("redis+unix", Way::Unix),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Tcp,
    Tls,
    Unix,
}

impl FromStr for Endpoint {
    type Err = UrlError;

    /// An endpoint of a URL:
    ///
    /// ```text
    /// redis[s]://[[user]:[password]@]host[:port][/database][?option=value&...]
    /// [redis+]unix://[[user]:[password]@]/path[?db=database&...]
    /// ```
    ///
    /// with the options `db`, `protocol`, `username`, `password`, and under TLS `ssl_ca_certs`, `ssl_certfile`,
    /// `ssl_keyfile`, `ssl_cert_reqs` and `ssl_check_hostname`.
    fn from_str(text: &str) -> Result<Self, UrlError> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let way = SCHEMES
            .iter()
            .find(|(known, _)| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(known)))
            .map(|(_, way)| *way)
            .ok_or_else(|| {
                wrong("a store's URL begins with redis://, rediss://, redis+unix:// or unix://")
            })?;
        if text
            .bytes()
            .any(|byte| byte.is_ascii_control() || byte == b' ')
        {
            return Err(wrong("a URL has no spaces or control characters in it"));
        }
        let url = if way == Way::Unix {
            Url::parse(&with_host(text)?)
        } else {
            Url::parse(text)
        };
        let url = url.map_err(|error| match error {
            url::ParseError::InvalidPort => wrong(
                "the URL's port is no number from 1 to 65535 (a /, ?, # or @ in a password has to be percent-encoded)",
            ),
            error => wrong(format!("the URL cannot be read: {error}")),
        })?;
        if url.fragment().is_some() {
            return Err(wrong("a # in a URL has to be percent-encoded as %23"));
        }
        let mut endpoint = if way == Way::Unix {
            of_socket(&url)?
        } else {
            of_host(&url)?
        };
        if way == Way::Tls {
            endpoint.tls = Some(Tls::default());
        }
        if !url.username().is_empty() {
            endpoint.username = Some(decoded(url.username())?);
        }
        if let Some(password) = url.password().filter(|password| !password.is_empty()) {
            endpoint.password = Some(percent_decode_str(password).collect::<Vec<u8>>().into());
        }
        apply_options(&mut endpoint, &url)?;
        Ok(endpoint)
    }
}

fn of_host(url: &Url) -> Result<Endpoint, UrlError> {
    let host = match url.host() {
        Some(Host::Domain(name)) => decoded(name)?,
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => String::new(),
    };
    if host.is_empty() {
        return Err(wrong("the URL names no host"));
    }
    let port = url.port().unwrap_or(PORT);
    if port == 0 {
        return Err(wrong("the URL's port is no number from 1 to 65535"));
    }
    let mut endpoint = Endpoint::tcp(host, port);
    match url.path().strip_prefix('/').unwrap_or_default() {
        "" => {}
        database => {
            endpoint.database = number(database).ok_or_else(|| {
                wrong("the URL's path is the number of a database: redis://host:6379/0")
            })?;
        }
    }
    Ok(endpoint)
}

/// The URL of a unix socket with a host in it, without which a URL has no user.
fn with_host(text: &str) -> Result<String, UrlError> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    match rest.split_once('/') {
        Some((user, path)) if user.is_empty() || user.ends_with('@') => {
            Ok(format!("{scheme}://{user}localhost/{path}"))
        }
        _ => Err(wrong(
            "the URL of a unix socket has an absolute path and no host: redis+unix:///run/redis.sock",
        )),
    }
}

fn of_socket(url: &Url) -> Result<Endpoint, UrlError> {
    let path: Vec<u8> = percent_decode_str(url.path()).collect();
    if path.len() < 2 || path.ends_with(b"/") || path.contains(&0) {
        return Err(wrong(
            "the URL names no unix socket: redis+unix:///run/redis.sock",
        ));
    }
    Ok(Endpoint::unix(OsString::from_vec(path)))
}

fn apply_options(endpoint: &mut Endpoint, url: &Url) -> Result<(), UrlError> {
    let query = url.query().unwrap_or_default();
    // It is part of a password, or of somebody's address: not to be shown as the name of an option.
    if query.contains('@') {
        return Err(wrong(
            "an @ or ? in a password has to be percent-encoded as %40 or %3F",
        ));
    }
    let mut seen = Vec::new();
    // As `urllib.parse.parse_qs`, except that a plus sign stays one: file names have it.
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if seen.contains(&name) {
            return Err(wrong(format!(
                "the URL has the option {} twice",
                shown(name)
            )));
        }
        seen.push(name);
        apply_option(endpoint, name, value)?;
    }
    Ok(())
}

fn apply_option(endpoint: &mut Endpoint, name: &str, value: &str) -> Result<(), UrlError> {
    let accepts = |what: &str| wrong(format!("the URL's option {} is {what}", shown(name)));
    match name {
        "db" => {
            endpoint.database = number(value).ok_or_else(|| accepts("the number of a database"))?;
        }
        "protocol" => {
            endpoint.protocol = match value {
                "2" | "resp2" => Protocol::Resp2,
                "3" | "resp3" => Protocol::Resp3,
                _ => return Err(accepts("2 or 3")),
            }
        }
        // What stands before the @ has precedence, as in redis-py.
        "username" => {
            if endpoint.username.is_none() {
                endpoint.username = Some(decoded(value)?).filter(|name| !name.is_empty());
            }
        }
        "password" => {
            if endpoint.password.is_none() && !value.is_empty() {
                endpoint.password = Some(percent_decode_str(value).collect::<Vec<u8>>().into());
            }
        }
        "ssl_ca_certs" | "ssl_certfile" | "ssl_keyfile" | "ssl_cert_reqs"
        | "ssl_check_hostname" => {
            let Some(tls) = &mut endpoint.tls else {
                return Err(accepts("for TLS: use rediss:// with it"));
            };
            let path = || {
                let path: Vec<u8> = percent_decode_str(value).collect();
                if path.is_empty() || path.contains(&0) {
                    return Err(accepts("the path of a PEM file"));
                }
                Ok(Some(OsString::from_vec(path).into()))
            };
            match name {
                "ssl_ca_certs" => tls.ca_file = path()?,
                "ssl_certfile" => tls.certificate = path()?,
                "ssl_keyfile" => tls.key = path()?,
                "ssl_cert_reqs" => match value {
                    "none" => tls.verification = Verification::Nothing,
                    // For a client, Python's ssl module makes no difference between these.
                    "required" | "optional" => {}
                    _ => return Err(accepts("required, optional or none")),
                },
                _ => match value.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "1" => {}
                    "false" | "no" | "0" => {
                        if tls.verification == Verification::Full {
                            tls.verification = Verification::AnyHost;
                        }
                    }
                    _ => return Err(accepts("true or false")),
                },
            }
        }
        _ => {
            return Err(wrong(format!(
                "the URL's option {} is unknown: known are db, protocol, username, password, and under rediss:// \
                 ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs and ssl_check_hostname",
                shown(name)
            )));
        }
    }
    Ok(())
}

/// An option's name if it looks like one, so that no part of a password is shown for it.
fn shown(name: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if (1..=32).contains(&name.len()) && name.bytes().all(plain) {
        name
    } else {
        "(of an odd name)"
    }
}

/// A number in decimal digits.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn decoded(text: &str) -> Result<String, UrlError> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) if !text.contains('\0') => Ok(text.into_owned()),
        _ => Err(wrong(
            "the URL's percent-encoded bytes are no text in UTF-8",
        )),
    }
}

fn wrong(what: impl Into<String>) -> UrlError {
    UrlError(what.into())
}
