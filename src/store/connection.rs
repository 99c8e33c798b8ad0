//! One connection. It can be used again only after the whole reply to its last command was read, and nothing else.

use redis::Value;

use super::commands::Commands;
use super::reply::{Progress, Scan, decode};
use super::socket::connect;
use super::stream::{Failure, Stream, timed_out};
use super::{Call, Endpoint, Protocol, StoreError, refusal, tls};
use crate::process;

/// The size of a reply's buffer at first: most sessions fit.
const INBOX: usize = 16 << 10;

/// The largest buffer that an idle connection keeps.
const BUFFER_KEPT: usize = 512 << 10;

/// How much more than what has come a reply's buffer may have room for: a length that a server announces is no more
/// than a promise.
const AHEAD: usize = 1 << 20;

/// The most by which a reply's buffer grows at a time: moving it must not take long beside a deadline.
const STEP_CAP: usize = 8 << 20;

/// A connection that has been through its handshake.
pub(super) struct Connection {
    stream: Stream,
    /// Whether the last exchange ended with the last byte of its reply.
    clean: bool,
    /// What has come of the reply. All of it is initialised, so that reading into it needs no clearing.
    inbox: Vec<u8>,
}

impl Connection {
    /// Connects and shakes hands: TLS, AUTH, SELECT, as the endpoint says.
    pub(super) fn open(
        endpoint: &Endpoint,
        kept: &tls::Kept,
        call: &Call<'_>,
    ) -> Result<Self, StoreError> {
        let process = process::id();
        let tls = match &endpoint.tls {
            Some(settings) => Some(kept.get(settings)?),
            None => None,
        };
        let socket = connect(&endpoint.address, call)?;
        let stream = Stream::new(socket, process, &endpoint.address, tls, call)
            .map_err(|failure| failure.error)?;
        let mut connection = Self {
            stream,
            clean: true,
            inbox: vec![0; INBOX],
        };
        connection.greet(endpoint, call)?;
        Ok(connection)
    }

    fn greet(&mut self, endpoint: &Endpoint, call: &Call<'_>) -> Result<(), StoreError> {
        // As redis-py: a user without a password has an empty one.
        let user = endpoint.username.as_deref();
        let password = endpoint.password.as_ref().map(super::Secret::expose);
        let password = password.or(user.map(|_| &b""[..]));
        match (endpoint.protocol, password) {
            (Protocol::Resp3, password) => {
                let mut words: Vec<&[u8]> = vec![b"HELLO", b"3"];
                if let Some(password) = password {
                    let user = user.unwrap_or("default").as_bytes();
                    words.extend([&b"AUTH"[..], user, password]);
                }
                self.expect(&words, call, |reply| {
                    matches!(reply, Value::Map(_) | Value::Array(_))
                })?;
            }
            (Protocol::Resp2, Some(password)) => {
                let mut words: Vec<&[u8]> = vec![b"AUTH"];
                words.extend(user.map(str::as_bytes));
                words.push(password);
                self.expect(&words, call, |reply| *reply == Value::Okay)?;
            }
            (Protocol::Resp2, None) => {}
        }
        if endpoint.database != 0 {
            let number = endpoint.database.to_string();
            self.expect(&[b"SELECT", number.as_bytes()], call, |reply| {
                *reply == Value::Okay
            })?;
        }
        Ok(())
    }

    fn expect(
        &mut self,
        words: &[&[u8]],
        call: &Call<'_>,
        is_good: fn(&Value) -> bool,
    ) -> Result<(), StoreError> {
        let command = Commands::new(words);
        let replies = self.exchange(&command, call);
        command.forget();
        match replies.map_err(|failure| failure.error)?.pop() {
            Some(Value::ServerError(error)) => Err(refusal::refused(&error)),
            Some(reply) if is_good(&reply) => Ok(()),
            _ => Err(StoreError::Protocol("to a greeting")),
        }
    }

    /// Sends commands in one go, and reads the whole of the reply to each. [`Failure::hung_up`] is told
    /// only if no byte of a reply came.
    pub(super) fn exchange(
        &mut self,
        commands: &Commands,
        call: &Call<'_>,
    ) -> Result<Vec<Value>, Failure> {
        if call.deadline.remaining().is_none() {
            return Err(timed_out());
        }
        // Until the end is reached, every way out of here leaves it so: an error, and a panic of the waiter, too.
        self.clean = false;
        self.stream.send(commands.bytes(), call)?;
        let replies = self.receive(commands.count(), call)?;
        if self.inbox.len() > BUFFER_KEPT {
            self.inbox = vec![0; INBOX];
        }
        self.clean = true;
        Ok(replies)
    }

    fn receive(&mut self, count: usize, call: &Call<'_>) -> Result<Vec<Value>, Failure> {
        let protocol = |what| Failure::from(StoreError::Protocol(what));
        let mut replies = Vec::with_capacity(count);
        let mut scan = Scan::default();
        // Where the reply begins that is being read, and where what has come ends.
        let (mut start, mut filled) = (0, 0);
        loop {
            match scan.advance(&self.inbox[start..filled]).map_err(protocol)? {
                Progress::Whole(length) => {
                    let reply = &self.inbox[start..start + length];
                    replies.push(decode(reply).map_err(protocol)?);
                    start += length;
                    scan = Scan::default();
                    if replies.len() < count {
                        continue;
                    }
                    if start < filled || self.stream.has_more() {
                        return Err(protocol("more than one reply"));
                    }
                    return Ok(replies);
                }
                Progress::More(least) if filled == self.inbox.len() => {
                    let step = filled.clamp(AHEAD, STEP_CAP);
                    let size = (start + least).clamp(filled + INBOX, filled + step);
                    // Zeroed by the system, page by page as it is used.
                    let mut larger = vec![0; size];
                    larger[..filled].copy_from_slice(&self.inbox);
                    self.inbox = larger;
                }
                Progress::More(_) => {}
            }
            // The first wait comes before the first look: no server answers as quickly as that.
            let first = filled == 0;
            // A server that sends without a pause is never waited for.
            if !first && call.deadline.remaining().is_none() {
                return Err(timed_out());
            }
            match self.stream.receive(&mut self.inbox[filled..], first, call) {
                Ok(received) => filled += received,
                Err(failure) if first => return Err(failure),
                Err(failure) => return Err(failure.error.into()),
            }
        }
    }

    /// Whether this process opened it.
    pub(super) fn is_own(&self) -> bool {
        self.stream.is_own()
    }

    /// Whether the last reply was read to its end.
    pub(super) fn is_clean(&self) -> bool {
        self.clean
    }

    /// Whether it can be used: nothing has come since the last reply. Asks the system, without waiting.
    pub(super) fn is_fit(&mut self) -> bool {
        self.clean && self.stream.is_quiet()
    }
}
