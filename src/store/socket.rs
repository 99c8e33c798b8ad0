//! A socket, connected within a deadline; it does not block.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use super::resolve::resolve;
use super::{Address, Call, Deadline, Interest, StoreError, Unreachable, Waited};

/// How long an idle connection is silent before the system asks whether the other end still lives: well below the
/// 350 seconds after which load balancers forget a connection.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long to wait before asking again at a unix socket whose queue of connections is full.
const QUEUE_PAUSE: Duration = Duration::from_millis(1);

/// Connects to an address by the deadline.
pub(super) fn connect(address: &Address, call: &Call<'_>) -> Result<Socket, StoreError> {
    match address {
        Address::Tcp { host, port } => connect_tcp(&resolve(host, *port, call)?, call),
        Address::Unix { path } => connect_unix(path, call),
    }
}

/// Tries the addresses in turn. Each gets its share of the time that is left, so that a dead one leaves some for others.
fn connect_tcp(addresses: &[SocketAddr], call: &Call<'_>) -> Result<Socket, StoreError> {
    let mut error = StoreError::Unreachable(Unreachable::TimedOut);
    for (index, address) in addresses.iter().enumerate() {
        let Some(left) = call.deadline.remaining() else {
            break;
        };
        let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = Call {
            deadline: earlier(call.deadline, left / others),
            waiter: call.waiter,
        };
        match connect_one(address, &share) {
            Ok(socket) => return Ok(socket),
            Err(StoreError::Interrupted) => return Err(StoreError::Interrupted),
            Err(why) => error = why,
        }
    }
    Err(error)
}

fn connect_one(address: &SocketAddr, call: &Call<'_>) -> Result<Socket, StoreError> {
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    // Without it, the second part of a large command waits for the other end's acknowledgement of the first.
    socket.set_tcp_nodelay(true).map_err(failed)?;
    socket
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
        .map_err(failed)?;
    match socket.connect(&SockAddr::from(*address)) {
        Ok(()) => {}
        Err(error) if is_under_way(&error) => finish(&socket, call)?,
        Err(error) => return Err(failed(error)),
    }
    Ok(socket)
}

fn connect_unix(path: &Path, call: &Call<'_>) -> Result<Socket, StoreError> {
    let address = SockAddr::unix(path).map_err(failed)?;
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        match socket.connect(&address) {
            Ok(()) => return Ok(socket),
            // Linux: the queue is full, and no descriptor tells when it has room again (unix(7), connect(2)).
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => pause(call)?,
            Err(error) if is_under_way(&error) => {
                finish(&socket, call)?;
                return Ok(socket);
            }
            Err(error) => return Err(failed(error)),
        }
    }
}

fn is_under_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS) || error.kind() == io::ErrorKind::Interrupted
}

/// Waits for the end of an attempt.
fn finish(socket: &Socket, call: &Call<'_>) -> Result<(), StoreError> {
    match call
        .waiter
        .wait(socket.as_raw_fd(), Interest::Write, call.deadline)?
    {
        Waited::TimedOut => Err(StoreError::Unreachable(Unreachable::TimedOut)),
        Waited::Ready => match socket.take_error().map_err(failed)? {
            None => Ok(()),
            Some(error) => Err(failed(error)),
        },
    }
}

/// Waits a moment, as the program waits for sockets: at one that stays silent.
fn pause(call: &Call<'_>) -> Result<(), StoreError> {
    let (silent, _other) = UnixStream::pair().map_err(failed)?;
    let moment = earlier(call.deadline, QUEUE_PAUSE);
    call.waiter
        .wait(silent.as_raw_fd(), Interest::Read, moment)?;
    match call.deadline.remaining() {
        Some(_) => Ok(()),
        None => Err(StoreError::Unreachable(Unreachable::TimedOut)),
    }
}

/// So much later than now, and no later than the deadline.
fn earlier(deadline: Deadline, time: Duration) -> Deadline {
    Deadline(
        Instant::now()
            .checked_add(time)
            .map_or(deadline.0, |moment| moment.min(deadline.0)),
    )
}

#[allow(clippy::needless_pass_by_value)] // As `map_err` hands it over.
fn failed(error: io::Error) -> StoreError {
    StoreError::Unreachable(Unreachable::Io(error.kind()))
}
