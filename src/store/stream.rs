//! The bytes of one connection, in the clear or under TLS: sent and received within a deadline.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection};
use socket2::Socket;

use super::{Address, Call, Interest, SLICE, StoreError, Unreachable, Waited, tls};
use crate::process;

/// A failure, and whether it is that the other end has closed the connection.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) hung_up: bool,
}

/// A connected socket, and the TLS on it.
pub(super) struct Stream {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
    /// Whether a read waits by itself, for a slice of time. Everything else does not, and neither does anything under TLS.
    blocking: bool,
    /// The process that connected it. A forked child has a copy of the descriptor, and must not touch the other end.
    process: u32,
}

impl Stream {
    /// A stream over this socket, which `process` connected: as it is, or with a TLS handshake done on it.
    pub(super) fn new(
        socket: Socket,
        process: u32,
        address: &Address,
        tls: Option<Arc<ClientConfig>>,
        call: &Call<'_>,
    ) -> Result<Self, Failure> {
        let mut stream = Self {
            socket,
            tls: None,
            blocking: false,
            process,
        };
        // The connection may have been waited for across a fork.
        stream.own()?;
        if tls.is_none() && call.waiter.may_block() {
            let block = || {
                stream.socket.set_read_timeout(Some(SLICE))?;
                stream.socket.set_nonblocking(false)
            };
            block().map_err(failed)?;
            stream.blocking = true;
        }
        if let Some(config) = tls {
            let host = match address {
                Address::Tcp { host, .. } => host.as_str(),
                Address::Unix { .. } => "localhost",
            };
            let connection = ClientConnection::new(config, tls::server_name(host)?)
                .map_err(|error| tls::failed(&error))?;
            stream.handshake(connection, call)?;
        }
        Ok(stream)
    }

    fn handshake(&mut self, tls: ClientConnection, call: &Call<'_>) -> Result<(), Failure> {
        let tls = self.tls.insert(Box::new(tls));
        while tls.is_handshaking() {
            flush(tls, &self.socket, self.process, call)?;
            if !tls.is_handshaking() {
                break;
            }
            wait(&self.socket, self.process, Interest::Read, call)?;
            fill(tls, &self.socket)?;
        }
        flush(tls, &self.socket, self.process, call)
    }

    /// Whether this process connected it.
    pub(super) fn is_own(&self) -> bool {
        self.process == process::id()
    }

    fn own(&self) -> Result<(), Failure> {
        own(self.process)
    }

    /// Sends all of these bytes.
    pub(super) fn send(&mut self, mut bytes: &[u8], call: &Call<'_>) -> Result<(), Failure> {
        let Some(tls) = &mut self.tls else {
            return write_all(bytes, &self.socket, self.process, call);
        };
        while !bytes.is_empty() {
            // It takes as much as its buffer has room for.
            let taken = tls.writer().write(bytes).map_err(failed)?;
            bytes = &bytes[taken..];
            if let Err(failure) = flush(tls, &self.socket, self.process, call) {
                // A server that did not like the handshake's end says why, and hangs up.
                if failure.hung_up {
                    fill(tls, &self.socket)?;
                }
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Receives some bytes, at least one. `expecting` says that none can be there yet.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        expecting: bool,
        call: &Call<'_>,
    ) -> Result<usize, Failure> {
        let Some(tls) = &mut self.tls else {
            return self.receive_in_the_clear(buffer, expecting, call);
        };
        let mut wait_first = expecting;
        loop {
            if let Some(count) = read_plaintext(tls, buffer)? {
                return Ok(count);
            }
            if wait_first {
                wait(&self.socket, self.process, Interest::Read, call)?;
            }
            wait_first = !fill(tls, &self.socket)?;
            // A key update wants an answer.
            flush(tls, &self.socket, self.process, call)?;
        }
    }

    fn receive_in_the_clear(
        &self,
        buffer: &mut [u8],
        expecting: bool,
        call: &Call<'_>,
    ) -> Result<usize, Failure> {
        let mut wait_first = expecting;
        loop {
            // Within the last slice before the deadline, a read would wait too long.
            let blocks = self.blocking
                && call.waiter.may_block()
                && call.deadline.remaining().is_some_and(|left| left >= SLICE);
            if !blocks && (wait_first || self.blocking) {
                wait(&self.socket, self.process, Interest::Read, call)?;
            }
            match (&self.socket).read(buffer) {
                Ok(0) => return Err(closed()),
                Ok(count) => return Ok(count),
                Err(error) => wait_first = retry(error)?,
            }
            if blocks {
                call.waiter.look_up()?;
                // As after a wait: a signal's handler may have forked.
                self.own()?;
            }
        }
    }

    /// Whether nothing has come that was not asked for: no byte, no end. Asks the system, without waiting.
    pub(super) fn is_quiet(&mut self) -> bool {
        let Some(tls) = &mut self.tls else {
            let mut byte = [std::mem::MaybeUninit::uninit()];
            let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
            let peeked = self.socket.recv_with_flags(&mut byte, flags);
            return matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        };
        // Tickets and key updates come unasked, and are no part of a reply.
        while let Ok(more) = fill(tls, &self.socket) {
            if !more {
                return matches!(read_plaintext(tls, &mut [0]), Ok(None));
            }
        }
        false
    }

    /// Whether a byte is left that was received and not handed out.
    pub(super) fn has_more(&mut self) -> bool {
        self.tls
            .as_mut()
            .is_some_and(|tls| !matches!(read_plaintext(tls, &mut [0]), Ok(None)))
    }
}

impl Drop for Stream {
    /// Ends the connection at once, even where a child that was forked off holds a copy of the descriptor. In such a
    /// child itself, only the copy is closed: not a byte is sent on what is its parent's.
    fn drop(&mut self) {
        if self.is_own() {
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }
}

/// What is decrypted already: None if that is nothing.
fn read_plaintext(tls: &mut ClientConnection, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
    match tls.reader().read(buffer) {
        Ok(0) => Err(closed()),
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Takes in what the socket has, and decrypts it. Whether there was anything.
fn fill(tls: &mut ClientConnection, socket: &Socket) -> Result<bool, Failure> {
    let mut socket = socket;
    match tls.read_tls(&mut socket) {
        Ok(0) => Err(closed()),
        Ok(_) => match tls.process_new_packets() {
            Ok(_) => Ok(true),
            Err(error) => {
                // The alert that tells the server, if there is room for it.
                let _ = tls.write_tls(&mut socket);
                Err(tls::failed(&error).into())
            }
        },
        Err(error) => Ok(!retry(error)?),
    }
}

/// Sends what TLS has to send.
fn flush(
    tls: &mut ClientConnection,
    socket: &Socket,
    process: u32,
    call: &Call<'_>,
) -> Result<(), Failure> {
    let mut writer = socket;
    while tls.wants_write() {
        match tls.write_tls(&mut writer) {
            Ok(_) => {}
            Err(error) => {
                if retry(error)? {
                    wait(socket, process, Interest::Write, call)?;
                }
            }
        }
    }
    Ok(())
}

fn write_all(
    mut bytes: &[u8],
    socket: &Socket,
    process: u32,
    call: &Call<'_>,
) -> Result<(), Failure> {
    while !bytes.is_empty() {
        match socket.send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) => {
                if retry(error)? {
                    wait(socket, process, Interest::Write, call)?;
                }
            }
        }
    }
    Ok(())
}

/// Whether to wait before trying again, if trying again is what the error asks for.
fn retry(error: io::Error) -> Result<bool, Failure> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(true),
        io::ErrorKind::Interrupted => Ok(false),
        _ => Err(failed(error)),
    }
}

/// Waits for the socket. After a wait, the process may be another one: greenlets and signal handlers fork.
fn wait(socket: &Socket, process: u32, interest: Interest, call: &Call<'_>) -> Result<(), Failure> {
    let fd: RawFd = socket.as_raw_fd();
    let waited = call.waiter.wait(fd, interest, call.deadline)?;
    own(process)?;
    match waited {
        Waited::Ready => Ok(()),
        Waited::TimedOut => Err(timed_out()),
    }
}

fn own(process: u32) -> Result<(), Failure> {
    if process == process::id() {
        Ok(())
    } else {
        Err(StoreError::Unreachable(Unreachable::Closed).into())
    }
}

pub(super) fn timed_out() -> Failure {
    StoreError::Unreachable(Unreachable::TimedOut).into()
}

fn closed() -> Failure {
    Failure {
        error: StoreError::Unreachable(Unreachable::Closed),
        hung_up: true,
    }
}

#[allow(clippy::needless_pass_by_value)] // As `map_err` hands it over.
fn failed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::NotConnected => closed(),
        kind => Failure {
            error: StoreError::Unreachable(Unreachable::Io(kind)),
            hung_up: matches!(
                kind,
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
            ),
        },
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            error,
            hung_up: false,
        }
    }
}
