//! A store in memory whose verbs are taken one by one, so that requests can be interleaved in every way.

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::Mutex;
use std::time::Duration;

use flask_session_rs::store::{
    Call, Created, Deadline, Expected, Interest, Loaded, Replaced, SessionStore, StoreError, Ttl,
    Waited, Waiter,
};

pub(crate) type Bytes = Vec<u8>;
pub(crate) type Records = BTreeMap<Bytes, Bytes>;

/// What a request asks of the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    Load(Bytes),
    Create(Bytes, Bytes),
    Replace(Bytes, Option<Bytes>, Bytes),
    Rotate(Bytes, Bytes, Option<Bytes>, Bytes),
    Delete(Bytes, Option<Bytes>),
}

/// What it answers.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Reply {
    Loaded(Option<Bytes>),
    Created(bool),
    Done,
    Gone,
    Changed(Bytes),
}

impl Verb {
    /// Does it, as the store's contract says.
    pub(crate) fn run(&self, records: &mut Records) -> Reply {
        let differs = |records: &Records, key: &Bytes, expected: &Option<Bytes>| {
            let current = match records.get(key) {
                Some(current) => current.clone(),
                None => return Some(Reply::Gone),
            };
            let differs = expected
                .as_ref()
                .is_some_and(|expected| *expected != current);
            differs.then_some(Reply::Changed(current))
        };
        match self {
            Self::Load(key) => Reply::Loaded(records.get(key).cloned()),
            Self::Create(key, record) => {
                let free = !records.contains_key(key);
                if free {
                    records.insert(key.clone(), record.clone());
                }
                Reply::Created(free)
            }
            Self::Replace(key, expected, record) => {
                differs(records, key, expected).unwrap_or_else(|| {
                    records.insert(key.clone(), record.clone());
                    Reply::Done
                })
            }
            Self::Rotate(old, new, expected, record) => differs(records, old, expected)
                .unwrap_or_else(|| {
                    records.remove(old);
                    records.insert(new.clone(), record.clone());
                    Reply::Done
                }),
            Self::Delete(key, expected) => differs(records, key, expected).unwrap_or_else(|| {
                records.remove(key);
                Reply::Done
            }),
        }
    }
}

/// The store as one request sees it that is run anew from its beginning: the replies that it got so far, and then a way
/// out with the verb that comes next.
pub(crate) struct Replay {
    state: Mutex<(std::vec::IntoIter<Reply>, Option<Verb>)>,
}

impl Replay {
    pub(crate) fn new(replies: &[Reply]) -> Self {
        let replies = replies.to_vec();
        Self {
            state: Mutex::new((replies.into_iter(), None)),
        }
    }

    /// The verb for which there was no reply.
    pub(crate) fn pending(self) -> Option<Verb> {
        self.state.into_inner().unwrap().1
    }

    fn ask(&self, verb: Verb) -> Result<Reply, StoreError> {
        let mut state = self.state.lock().unwrap();
        assert!(state.1.is_none(), "another verb after a failure");
        state.0.next().ok_or_else(|| {
            state.1 = Some(verb);
            StoreError::Interrupted
        })
    }

    fn change(&self, verb: Verb) -> Result<Replaced, StoreError> {
        Ok(match self.ask(verb)? {
            Reply::Done => Replaced::Done,
            Reply::Gone => Replaced::Gone,
            Reply::Changed(current) => Replaced::Changed(current),
            reply => panic!("{reply:?}"),
        })
    }
}

fn owned(expected: Expected<'_>) -> Option<Bytes> {
    match expected {
        Expected::Any => None,
        Expected::Exactly(bytes) => Some(bytes.to_vec()),
    }
}

impl SessionStore for Replay {
    fn load(&self, key: &[u8], _: Option<Ttl>, _: &Call<'_>) -> Result<Loaded, StoreError> {
        match self.ask(Verb::Load(key.to_vec()))? {
            Reply::Loaded(Some(record)) => Ok(Loaded::Record(record)),
            Reply::Loaded(None) => Ok(Loaded::Absent),
            reply => panic!("{reply:?}"),
        }
    }

    fn create(
        &self,
        key: &[u8],
        record: &[u8],
        _: Ttl,
        _: &Call<'_>,
    ) -> Result<Created, StoreError> {
        match self.ask(Verb::Create(key.to_vec(), record.to_vec()))? {
            Reply::Created(true) => Ok(Created::Done),
            Reply::Created(false) => Ok(Created::Exists),
            reply => panic!("{reply:?}"),
        }
    }

    fn replace(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        _: Ttl,
        _: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        self.change(Verb::Replace(
            key.to_vec(),
            owned(expected),
            record.to_vec(),
        ))
    }

    fn rotate(
        &self,
        old: &[u8],
        new: &[u8],
        expected: Expected<'_>,
        record: &[u8],
        _: Ttl,
        _: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        let (old, new) = (old.to_vec(), new.to_vec());
        self.change(Verb::Rotate(old, new, owned(expected), record.to_vec()))
    }

    fn delete(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        _: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        self.change(Verb::Delete(key.to_vec(), owned(expected)))
    }
}

/// A waiter for a store that never waits.
pub(crate) struct NoWait;

impl Waiter for NoWait {
    fn wait(&self, _: RawFd, _: Interest, _: Deadline) -> Result<Waited, StoreError> {
        panic!("memory is not waited for")
    }
}

/// Time enough, or none.
pub(crate) fn call(time: Duration) -> Call<'static> {
    Call {
        deadline: Deadline::after(time),
        waiter: &NoWait,
    }
}
