//! The plain way to wait for a socket: `poll`.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::{Deadline, Interest, StoreError, Unreachable, Waited, Waiter};

/// Waits with `poll(2)`. Signals do not end a wait early.
#[derive(Clone, Copy, Default, Debug)]
pub struct PollWaiter;

impl Waiter for PollWaiter {
    fn wait(
        &self,
        fd: RawFd,
        interest: Interest,
        deadline: Deadline,
    ) -> Result<Waited, StoreError> {
        while let Some(left) = deadline.remaining() {
            if poll(fd, interest, left)? == Polled::Ready {
                return Ok(Waited::Ready);
            }
        }
        Ok(Waited::TimedOut)
    }

    fn may_block(&self) -> bool {
        true
    }
}

/// What one `poll(2)` said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polled {
    /// The socket is ready, or in a state that the next call on it will tell.
    Ready,
    /// The time is over.
    Nothing,
    /// A signal came.
    Interrupted,
}

/// Polls once, for this long at most.
pub(crate) fn poll(fd: RawFd, interest: Interest, time: Duration) -> Result<Polled, StoreError> {
    let mut polled = libc::pollfd {
        fd,
        events: match interest {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
        },
        revents: 0,
    };
    // Rounded up, so that the last millisecond is not spent in a busy loop. Waits of more than 24 days are cut.
    let time = i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
    // SAFETY: the pointer is to one `pollfd`, which outlives the call and which nothing else refers to.
    #[allow(unsafe_code)]
    let ready = unsafe { libc::poll(&raw mut polled, 1, time) };
    match ready {
        0 => Ok(Polled::Nothing),
        1.. => Ok(Polled::Ready),
        _ => match io::Error::last_os_error().kind() {
            io::ErrorKind::Interrupted => Ok(Polled::Interrupted),
            kind => Err(StoreError::Unreachable(Unreachable::Io(kind))),
        },
    }
}
