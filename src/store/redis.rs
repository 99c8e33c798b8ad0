//! The five verbs as commands of Redis 6.2 or newer, or of Valkey.
//!
//! A value is never a command's last argument: one that a time-out cuts off stays incomplete, whatever bytes might
//! follow it.
//!
//! What has to look before it writes is a script, and for large records a transaction.
//!
//! A command is sent a second time in one case only: an idle connection turned out to be closed before any byte of the
//! reply came. The server may have carried it out all the same, so a repeat has to be harmless. Reads are; a repeated
//! deletion that finds nothing takes that for its own work. The scripts take a record that is the new one already for their own work. And where a repeated `SET NX` finds
//! the key taken, the store looks whether by this very record: only who drew the session's id can have written it.

use std::fmt;

use redis::Value;

use super::commands::Commands;
use super::connection::Connection;
use super::pool::Pool;
use super::scripts::{Script, Scripts};
use super::transaction::Change;
use super::{
    Call, Created, Endpoint, Expected, Loaded, Replaced, SessionStore, StoreError, Ttl, occupied,
    refusal,
};

/// The longest expiry in seconds, some 100,000 years: the server counts milliseconds since 1970 in 63 bits.
const TTL_CAP: u64 = 1 << 42;

/// Sessions in a Redis server.
pub struct RedisStore {
    pool: Pool,
    scripts: Scripts,
}

impl RedisStore {
    /// A store in the server at this endpoint. Keeps up to `pool_size` idle connections for each process; threads that
    /// find none open their own. Nothing is connected before the first verb.
    pub fn new(endpoint: Endpoint, pool_size: usize) -> Self {
        Self {
            pool: Pool::new(endpoint, pool_size),
            scripts: Scripts::new(),
        }
    }

    /// Sends a command and makes sense of its reply, the server's errors included. What `read` can make no sense of is
    /// no reply to this command, and the connection is closed.
    fn ask<T>(
        &self,
        words: &[&[u8]],
        call: &Call<'_>,
        repeat: &mut Repeat,
        read: impl FnOnce(Value) -> Option<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (connection, mut replies) = self.exchange(&Commands::new(words), call, repeat)?;
        let reply = replies.pop().unwrap_or_default();
        let stale = matches!(&reply, Value::ServerError(error) if refusal::ends_connection(error));
        let answer = read(reply).ok_or(NO_REPLY)?;
        if !stale {
            self.pool.put(connection);
        }
        answer
    }

    /// Sends commands over an idle connection, or over a new one. A repeat has to be harmless.
    pub(super) fn exchange(
        &self,
        commands: &Commands,
        call: &Call<'_>,
        repeat: &mut Repeat,
    ) -> Result<(Box<Connection>, Vec<Value>), StoreError> {
        if let Some(mut idle) = self.pool.take() {
            match idle.exchange(commands, call) {
                Ok(replies) => return Ok((idle, replies)),
                Err(failure) if failure.hung_up && *repeat == Repeat::Unused => {
                    *repeat = Repeat::Used;
                }
                Err(failure) => {
                    // Kept if the deadline had passed before anything was sent.
                    self.pool.put(idle);
                    return Err(failure.error);
                }
            }
        }
        let mut connection = self.pool.open(call)?;
        match connection.exchange(commands, call) {
            Ok(replies) => Ok((connection, replies)),
            Err(failure) => Err(failure.error),
        }
    }

    /// Takes a connection back.
    pub(super) fn put(&self, connection: Box<Connection>) {
        self.pool.put(connection);
    }

    /// Runs a script by its name; by its text, once, if the server does not know it.
    fn run(
        &self,
        script: &Script,
        call: &Call<'_>,
        repeat: &mut Repeat,
        arguments: &[&[u8]],
    ) -> Result<Replaced, StoreError> {
        for (verb, name) in [("EVALSHA", &script.digest), ("EVAL", &script.text)] {
            let words = [&[verb.as_bytes(), name.as_bytes()], arguments].concat();
            if let Some(outcome) = self.ask(&words, call, repeat, read_outcome)? {
                return Ok(outcome);
            }
        }
        Err(StoreError::Protocol("NOSCRIPT to a script sent in full"))
    }
}

/// What is said of a reply of the wrong kind.
pub(super) const NO_REPLY: StoreError = StoreError::Protocol("to a command on a session");

/// Whether an operation's one repeat was needed.
#[derive(PartialEq, Eq)]
pub(super) enum Repeat {
    Unused,
    Used,
}

impl SessionStore for RedisStore {
    fn load(&self, key: &[u8], slide: Option<Ttl>, call: &Call<'_>) -> Result<Loaded, StoreError> {
        let repeat = &mut Repeat::Unused;
        match slide {
            None => self.ask(&[b"GET", key], call, repeat, read_loaded),
            Some(ttl) => {
                let mut digits = itoa::Buffer::new();
                let words: [&[u8]; 4] = [b"GETEX", key, b"EX", seconds(ttl, &mut digits)];
                self.ask(&words, call, repeat, read_loaded)
            }
        }
    }

    fn create(
        &self,
        key: &[u8],
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Created, StoreError> {
        let mut digits = itoa::Buffer::new();
        let words: [&[u8]; 6] = [b"SET", key, record, b"EX", seconds(ttl, &mut digits), b"NX"];
        let mut repeat = Repeat::Unused;
        let created = self.ask(&words, call, &mut repeat, |reply| match reply {
            Value::Okay => Some(Ok(Created::Done)),
            Value::Nil => Some(Ok(Created::Exists)),
            Value::ServerError(error) => Some(Err(refusal::refused(&error))),
            _ => None,
        })?;
        if created == Created::Exists
            && repeat == Repeat::Used
            && matches!(self.load(key, None, call)?, Loaded::Record(now) if now == record)
        {
            return Ok(Created::Done);
        }
        Ok(created)
    }

    fn replace(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        if is_large(&[record, words(expected).1]) {
            let change = Change::Replace { key, record, ttl };
            return change.apply(self, expected, call);
        }
        let mut digits = itoa::Buffer::new();
        let (mode, expected) = words(expected);
        let seconds = seconds(ttl, &mut digits);
        let arguments = [b"1", key, mode, record, expected, seconds];
        self.run(&self.scripts.replace, call, &mut Repeat::Unused, &arguments)
    }

    fn rotate(
        &self,
        old: &[u8],
        new: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        ttl: Ttl,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        if is_large(&[record, words(expected).1]) {
            let change = Change::Rotate {
                old,
                new,
                record,
                ttl,
            };
            return change.apply(self, expected, call);
        }
        let mut digits = itoa::Buffer::new();
        let (mode, expected) = words(expected);
        let seconds = seconds(ttl, &mut digits);
        let arguments = [b"2", old, new, mode, record, expected, seconds];
        self.run(&self.scripts.rotate, call, &mut Repeat::Unused, &arguments)
    }

    fn delete(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        // By the script for a large record, too: a server whose memory is used up refuses whatever is queued for a
        // transaction, and deleting is what helps it.
        let mut repeat = Repeat::Unused;
        let (mode, expected) = words(expected);
        let arguments = [b"1", key, mode, expected, b"end"];
        let outcome = self.run(&self.scripts.delete, call, &mut repeat, &arguments)?;
        // What the repeat finds gone, the first one removed, as a rule.
        Ok(match outcome {
            Replaced::Gone if repeat == Repeat::Used => Replaced::Done,
            outcome => outcome,
        })
    }
}

/// The scripts of `replace`, `rotate` and `delete`, each with the name by which a server that has seen it knows it: for
/// stores that reach a server in another way.
pub fn scripts() -> [(String, String); 3] {
    let scripts = Scripts::new();
    [scripts.replace, scripts.rotate, scripts.delete].map(|script| (script.text, script.digest))
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("endpoint", self.pool.endpoint())
            .finish_non_exhaustive()
    }
}

fn read_loaded(reply: Value) -> Option<Result<Loaded, StoreError>> {
    Some(Ok(match reply {
        Value::BulkString(record) => Loaded::Record(record),
        Value::Nil => Loaded::Absent,
        Value::ServerError(error) if error.code() == "WRONGTYPE" => Loaded::Foreign,
        Value::ServerError(error) => return Some(Err(refusal::refused(&error))),
        _ => return None,
    }))
}

/// What a script answered; None where the server does not know it.
fn read_outcome(reply: Value) -> Option<Result<Option<Replaced>, StoreError>> {
    Some(Ok(match reply {
        Value::Int(0) => Some(Replaced::Gone),
        Value::Int(1) => Some(Replaced::Done),
        Value::Int(2) => return Some(Err(occupied())),
        Value::BulkString(now) => Some(Replaced::Changed(now)),
        Value::ServerError(error) if error.code() == "NOSCRIPT" => None,
        Value::ServerError(error) => return Some(Err(refusal::refused(&error))),
        _ => return None,
    }))
}

/// What the scripts are told of the record that is expected.
fn words(expected: Expected<'_>) -> (&'static [u8], &[u8]) {
    match expected {
        Expected::Any => (b"any", b""),
        Expected::Exactly(record) => (b"exactly", record),
    }
}

/// Whether a script is no way for these: a server's Lua takes 1.3 ns for each byte of each string that enters it, in
/// which it serves nobody. From here on, one more round trip costs less.
fn is_large(records: &[&[u8]]) -> bool {
    records.iter().any(|record| record.len() > SCRIPT_CAP)
}

const SCRIPT_CAP: usize = 32 << 10;

/// The seconds of a command, in decimal digits.
pub(super) fn seconds(ttl: Ttl, digits: &mut itoa::Buffer) -> &[u8] {
    digits.format(ttl.as_seconds().min(TTL_CAP)).as_bytes()
}
