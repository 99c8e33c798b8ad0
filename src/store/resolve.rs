//! The addresses of a host, within a deadline: `getaddrinfo` knows none, so it runs beside the one who waits.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::{Call, Interest, StoreError, Unreachable, Waited};
use crate::process;

/// The most names that are looked up at a time. A lookup can outlive its deadline by the resolver's own time-outs, and
/// those of a busy process must not pile up without end.
const PENDING_CAP: u32 = 256;

/// The stack of a lookup, in bytes: name service modules of the C library have buffers of some kilobytes on it.
const STACK: usize = 256 << 10;

/// The process in the upper half, the lookups that it has under way in the lower: none of them crosses a fork.
static PENDING: AtomicU64 = AtomicU64::new(0);

/// The addresses of a host, at least one. Numeric ones need no lookup.
pub(super) fn resolve(
    host: &str,
    port: u16,
    call: &Call<'_>,
) -> Result<Vec<SocketAddr>, StoreError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let addresses = look_up(host.to_owned(), port, call)?;
    if addresses.is_empty() {
        return Err(failed(io::ErrorKind::NotFound));
    }
    Ok(addresses)
}

/// Asks the C library, in a thread that ends with its answer. The end of a socket pair tells that it is there, so that
/// it is waited for like everything else.
fn look_up(host: String, port: u16, call: &Call<'_>) -> Result<Vec<SocketAddr>, StoreError> {
    let slot = Slot::take().ok_or(failed(io::ErrorKind::ResourceBusy))?;
    let (ours, theirs) = UnixStream::pair().map_err(|error| failed(error.kind()))?;
    let answer = Arc::new(Mutex::new(Err(io::ErrorKind::Other)));
    let told = Arc::clone(&answer);
    thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || {
            let found = (host.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect)
                // Whatever the resolver says (and it has no kinds for it), the name has led nowhere.
                .map_err(|_| io::ErrorKind::NotFound);
            *told.lock().unwrap_or_else(PoisonError::into_inner) = found;
            drop(theirs);
            drop(slot);
        })
        .map_err(|error| failed(error.kind()))?;
    match call
        .waiter
        .wait(ours.as_raw_fd(), Interest::Read, call.deadline)?
    {
        Waited::TimedOut => Err(StoreError::Unreachable(Unreachable::TimedOut)),
        // A process that was forked off during the wait has no such thread, and gets the error put there at first.
        Waited::Ready => match answer.try_lock() {
            Ok(mut answer) => std::mem::replace(&mut *answer, Ok(Vec::new())).map_err(failed),
            Err(_) => Err(failed(io::ErrorKind::Other)),
        },
    }
}

fn failed(kind: io::ErrorKind) -> StoreError {
    StoreError::Unreachable(Unreachable::Io(kind))
}

/// One lookup under way.
struct Slot;

impl Slot {
    fn take() -> Option<Self> {
        let change = |state| {
            let pending = of_this_process(state);
            (pending < PENDING_CAP).then(|| state_of(pending + 1))
        };
        PENDING
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
            .ok()
            .map(|_| Self)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let change = |state| Some(state_of(of_this_process(state).saturating_sub(1)));
        let _ = PENDING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
}

fn of_this_process(state: u64) -> u32 {
    let [process, pending] = [state >> 32, state & u64::from(u32::MAX)];
    if process == u64::from(process::id()) {
        u32::try_from(pending).unwrap_or(u32::MAX)
    } else {
        0
    }
}

fn state_of(pending: u32) -> u64 {
    u64::from(process::id()) << 32 | u64::from(pending)
}
