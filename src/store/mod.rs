//! What a session store does: five verbs over keys and bytes, each with one deadline. It knows neither JSON nor Flask.
//!
//! ```text
//! redis        the verbs as commands, scripts (small records) and transactions (large ones)
//!   pool         an idle connection, or a new one; forks
//!     commands     words packed as they are sent
//!     connection   commands out, replies in; usable again only after the last byte of the last reply
//!       reply        where a reply ends
//!       stream       bytes within a deadline, in the clear or under TLS
//!         socket       connects; resolve: names to addresses
//!         tls          whom to trust, who we are
//!   refusal      what to mend, by the server's error
//! endpoint, url  where the server is, and how it is spoken to
//! memory         the verbs in memory
//! ```

mod commands;
mod connection;
mod endpoint;
pub mod memory;
mod pool;
pub mod redis;
pub(crate) mod refusal;
mod reply;
mod resolve;
mod scripts;
mod socket;
mod stream;
mod tls;
mod transaction;
mod url;
pub(crate) mod waiter;

pub use endpoint::{Address, Endpoint, Protocol, Secret, Tls, Verification};
pub use url::UrlError;
pub use waiter::PollWaiter;

use std::fmt;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A place where records are kept, each under a key, each with an expiry.
///
/// Every verb ends by the deadline of its [`Call`]: connecting, waiting and retrying included. A verb whose outcome is
/// unknown has failed, and is repeated only where a repeat is harmless.
pub trait SessionStore: Send + Sync {
    /// The record under `key`; with `slide`, its expiry is set anew in the same step.
    fn load(&self, key: &[u8], slide: Option<Ttl>, call: &Call<'_>) -> Result<Loaded, StoreError>;

    /// A new record. Nothing is written where one stands already.
    fn create(
        &self,
        key: &[u8],
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Created, StoreError>;

    /// A record in place of one that has to be there, and has to be what `expected` says.
    fn replace(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError>;

    /// A record under the key `new` and none any longer under `old`, in one step. The record under `old` has to be
    /// there, and has to be what `expected` says. A failure leaves the old record whole.
    fn rotate(
        &self,
        old: &[u8],
        new: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError>;

    /// No record any longer under `key`, if what is there is what `expected` says. Where nothing is there, somebody else
    /// ended it: [`Replaced::Gone`].
    fn delete(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError>;
}

/// How long a record lives from now on: whole seconds, at least one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ttl(u64);

/// What a read found.
#[derive(Clone, PartialEq, Eq)]
pub enum Loaded {
    /// The record.
    Record(Vec<u8>),
    /// Nothing under this key.
    Absent,
    /// Something that is no record: another type of the server's. It is left as it is.
    Foreign,
}

/// What came of a new record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Created {
    /// It is written.
    Done,
    /// Another one stands under this key; nothing is written.
    Exists,
}

/// What the record in the store has to be for a verb to touch it.
#[derive(Clone, Copy)]
pub enum Expected<'a> {
    /// Any: it has to be there, no more.
    Any,
    /// Exactly these bytes.
    Exactly(&'a [u8]),
}

/// What came of a change.
#[derive(Clone, PartialEq, Eq)]
pub enum Replaced {
    /// It is done.
    Done,
    /// The record is gone (or something foreign stands there): the session has ended, and nothing is written.
    Gone,
    /// The record is another one by now: this one. Nothing is written.
    Changed(Vec<u8>),
}

/// What one operation has: its time, and its way to wait.
pub struct Call<'a> {
    /// When the operation has ended, one way or the other.
    pub deadline: Deadline,
    /// How it waits for a socket.
    pub waiter: &'a dyn Waiter,
}

/// A moment on the monotonic clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deadline(Instant);

/// What a socket is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Bytes to read, or the end of the stream.
    Read,
    /// Room to write, or the end of a connection attempt.
    Write,
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited {
    /// The socket is ready, or in a state that the next call on it will tell.
    Ready,
    /// The time is over.
    TimedOut,
}

/// Waits for sockets: with `poll`, or as the program's event loop has it.
pub trait Waiter {
    /// Waits for `fd` until the deadline at the latest. Fails with [`StoreError::Interrupted`] where something that
    /// the waiter keeps (a signal's exception) has to be raised instead.
    fn wait(&self, fd: RawFd, interest: Interest, deadline: Deadline)
    -> Result<Waited, StoreError>;

    /// Whether the calling thread may block in a system call of its own instead, for up to [`SLICE`] at a time. That
    /// spares a call for each reply.
    fn may_block(&self) -> bool {
        false
    }

    /// Called when such a time is over and nothing came, or a signal did. Fails as [`Waiter::wait`] does.
    fn look_up(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The longest that a thread blocks without a look at what else there is. A signal that reaches another thread than the
/// waiting one does not end its wait: whoever presses Ctrl-C waits no longer than this.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// Why an operation failed. Holds no key, no record and no password, so that it can be shown and logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// No connection, or none any longer.
    Unreachable(Unreachable),
    /// The server answered with an error: its code (`NOAUTH`, `OOM`, ...) and what to mend.
    Refused {
        /// The first word of the server's answer, if it is a code.
        code: Box<str>,
        /// What may be done about it.
        advice: &'static str,
    },
    /// The server's answer is none to what was asked.
    Protocol(&'static str),
    /// The waiter was interrupted, and holds the reason.
    Interrupted,
    /// Others changed the record each time before this change could be written.
    Contended,
}

/// What kept a connection from being made or used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreachable {
    /// The deadline passed.
    TimedOut,
    /// The operating system's word: refused, reset, no such host, ...
    Io(std::io::ErrorKind),
    /// The server closed the connection.
    Closed,
    /// TLS failed: what, in words without secrets.
    Tls(String),
}

/// The error of a rotation onto a key that is taken. Ids are drawn from 256 bits, so that only a fault leads there.
pub(crate) fn occupied() -> StoreError {
    StoreError::Refused {
        code: "BUSYKEY".into(),
        advice: "something stands under the new session's key already",
    }
}

/// Bytes of the largest record: more are not written, since they would not be read.
pub(crate) const RECORD_CAP: usize = 64 << 20;

/// The error of a record beyond [`RECORD_CAP`].
pub(crate) fn too_large() -> StoreError {
    StoreError::Refused {
        code: "TOOLARGE".into(),
        advice: "a session has 64 MiB at most; keep what is larger elsewhere, and its key in the session",
    }
}

impl Call<'_> {
    /// Lets some time pass, as the program's waiter has it; not beyond the deadline.
    pub fn pause(&self, time: Duration) -> Result<(), StoreError> {
        if time.is_zero() {
            return Ok(());
        }
        let (silent, _open) = UnixStream::pair()
            .map_err(|error| StoreError::Unreachable(Unreachable::Io(error.kind())))?;
        let until = Deadline::after(time).min(self.deadline);
        self.waiter
            .wait(silent.as_raw_fd(), Interest::Read, until)
            .map(|_| ())
    }
}

impl Ttl {
    /// At least one second, whatever the lifetime says.
    pub fn seconds(seconds: i64) -> Self {
        Self(u64::try_from(seconds).unwrap_or(0).max(1))
    }

    /// The number of seconds.
    pub fn as_seconds(self) -> u64 {
        self.0
    }
}

impl Deadline {
    /// The moment so much later than now.
    pub fn after(time: Duration) -> Self {
        let now = Instant::now();
        // Thirty years stand for a time that the clock cannot hold.
        Self(
            now.checked_add(time)
                .unwrap_or_else(|| now + Duration::from_secs(1 << 30)),
        )
    }

    /// What is left; None when the moment has passed.
    pub fn remaining(self) -> Option<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "the session store is unreachable: {why}"),
            Self::Refused { code, advice } => {
                write!(f, "the session store refused: {code} ({advice})")
            }
            Self::Protocol(what) => write!(
                f,
                "the session store gave an answer of the wrong kind: {what}"
            ),
            Self::Interrupted => f.write_str("the wait for the session store was interrupted"),
            Self::Contended => {
                f.write_str("the session is changed by others too often to be saved")
            }
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("timed out"),
            Self::Io(kind) => write!(f, "{kind}"),
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Tls(what) => write!(f, "TLS: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}
