//! Where a store's server is, and how it is spoken to.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// One server and what it wants to know: made of a URL, or of the settings of a client object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Where it listens.
    pub address: Address,
    /// The number of the database, chosen with SELECT unless it is 0.
    pub database: u32,
    /// The user for AUTH; None is the server's user `default`.
    pub username: Option<String>,
    /// The password for AUTH. Without a user and a password, no AUTH is sent.
    pub password: Option<Secret>,
    /// The protocol's version.
    pub protocol: Protocol,
    /// How TLS is done; None speaks in the clear. One is never tried in place of the other.
    pub tls: Option<Tls>,
}

/// Where a server listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A TCP port.
    Tcp {
        /// A name or an IP address, the latter without brackets. The resolver and certificates have names in ASCII.
        host: String,
        /// The port.
        port: u16,
    },
    /// A unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
    },
}

/// A version of Redis' serialization protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Protocol {
    /// What every server speaks at first. No greeting is sent.
    #[default]
    Resp2,
    /// Chosen with HELLO.
    Resp3,
}

/// How TLS is done. Paths are of PEM files, read whenever the first connection of a process is made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tls {
    /// The authorities to trust, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, followed by those that lead to its authority.
    pub certificate: Option<PathBuf>,
    /// The key of the client's certificate, not encrypted. None looks for it in the certificate's file.
    pub key: Option<PathBuf>,
    /// What of the server's certificate is verified.
    pub verification: Verification,
}

/// What of a server's certificate is verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Verification {
    /// That a trusted authority gave it, and to the host that is connected to.
    #[default]
    Full,
    /// That a trusted authority gave it, to whichever host (redis-py's `ssl_check_hostname=False`).
    AnyHost,
    /// Nothing (redis-py's `ssl_cert_reqs="none"`): whoever sits between may read along.
    Nothing,
}

/// A password. It is wiped from memory with its owner, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Endpoint {
    /// A server at a TCP port, spoken to in the clear, without a password.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::at(Address::Tcp {
            host: host.into(),
            port,
        })
    }

    /// A server at a unix socket, without a password.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::at(Address::Unix { path: path.into() })
    }

    fn at(address: Address) -> Self {
        Self {
            address,
            database: 0,
            username: None,
            password: None,
            protocol: Protocol::default(),
            tls: None,
        }
    }
}

impl Secret {
    /// The bytes of the password.
    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl<B: Into<Vec<u8>>> From<B> for Secret {
    fn from(bytes: B) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}
