//! What a save does to a store: records created, replaced, moved and deleted, so that nobody else's change is lost and
//! nothing that has ended comes back.
//!
//! An existing record is only ever replaced by compare-and-set. Where another request was faster, what this request
//! changed at the top level is done to the newer record, and it is tried again. A record that is gone has ended for good:
//! nothing is written in its place.

use std::borrow::Cow;
use std::time::Duration;

use crate::record::{self, Changes, Record, RecordError};
use crate::store::{
    Call, Created, Expected, Loaded, RECORD_CAP, Replaced, SessionStore, StoreError, Ttl,
    Unreachable, too_large,
};
use crate::turns::Turns;

/// How often a change is tried before the session counts as contended.
pub const TRIES: usize = 5;

/// How many ids are drawn for a new session. That one of 128 bits is taken does not happen; a store that says so three
/// times is broken.
const DRAWS: usize = 3;

/// What a session wants of the store when it is saved.
#[derive(Clone, Copy)]
pub enum Intent<'a> {
    /// A session that has no record yet.
    New {
        /// Its encoding.
        record: &'a [u8],
    },
    /// A session that was loaded, and may have changed since.
    ///
    /// One that now holds nothing, or nothing but `_permanent`, without having been cleared, is deleted, unless another
    /// request has put something into it meanwhile.
    Changed {
        /// Where its record is.
        key: &'a [u8],
        /// The record as it was loaded, or as it was last saved: with what others had put into it by then.
        base: &'a [u8],
        /// What was loaded, encoded again by the encoder that made `record`: the same bytes as `base`, or different ones
        /// where another encoder wrote that. So another encoder's ways do not look like changes. `None` where nobody has
        /// encoded it again yet and the session surely changed: [`Commit::transcode`] does when it is needed.
        baseline: Option<&'a [u8]>,
        /// The session as it is now.
        record: &'a [u8],
        /// The key it moves to: a new one, under a new id, for a session that is regenerated.
        new_key: Option<&'a [u8]>,
    },
    /// A session that was cleared and filled again: nothing of what was in it, by whomever it was put there, stays.
    Overwritten {
        /// Where its record is.
        key: &'a [u8],
        /// The session as it is now.
        record: &'a [u8],
        /// The key it moves to, as above.
        new_key: Option<&'a [u8]>,
    },
    /// A session that was cleared.
    Cleared {
        /// Where its record is.
        key: &'a [u8],
    },
}

/// What came of a save.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The session is in the store. It may hold more than was to be written, where others changed it meanwhile.
    Written {
        /// Its key from now on.
        key: Cow<'a, [u8]>,
        /// Its record there.
        record: Cow<'a, [u8]>,
    },
    /// There was nothing to do, and nothing was sent.
    Unchanged,
    /// The session's record is deleted, by this save.
    Deleted,
    /// The session ended while this request was under way: it was logged out, or it got a new id, or what stands under
    /// its key can no longer be read. Nothing was written; the cookie is to be left alone.
    Ended,
}

/// The store and what it takes to commit something to it.
pub struct Commit<'s, 'c> {
    /// Where the records are.
    pub store: &'s dyn SessionStore,
    /// How long a written record lives.
    pub ttl: Ttl,
    /// The deadline of all its steps together, and the way to wait.
    pub call: &'s Call<'c>,
    /// A record that another encoder wrote, as that of this session writes it: asked only where another request has
    /// written the record meanwhile. `None` for what is no readable record.
    pub transcode: &'s mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
    /// The key for a new session, under an id drawn anew each time.
    pub draw: &'s mut dyn FnMut() -> Vec<u8>,
    /// How long to wait after so many conflicts (two, three, ...) before the record is read again: a random time, so that
    /// requests that wait for each other get out of step.
    pub pace: &'s mut dyn FnMut(usize) -> Duration,
    /// Whose turn it is among the threads of this process.
    pub turns: &'s Turns,
}

impl Commit<'_, '_> {
    /// Does what the session wants.
    ///
    /// # Errors
    ///
    /// The store's own. [`StoreError::Contended`] where others were faster five times in a row, and
    /// [`StoreError::Unreachable`] where the time was over before that; nothing is written then.
    pub fn run<'a>(&mut self, intent: Intent<'a>) -> Result<Outcome<'a>, StoreError> {
        match intent {
            Intent::New { record } => self.create(record),
            Intent::Changed {
                key,
                base,
                baseline,
                record,
                new_key,
            } => self.change(&Change {
                key,
                base,
                baseline,
                record,
                new_key,
            }),
            Intent::Overwritten {
                key,
                record,
                new_key,
            } => match self.put(key, new_key, Expected::Any, record)? {
                Replaced::Done => Ok(written(key, new_key, Cow::Borrowed(record))),
                Replaced::Gone => Ok(Outcome::Ended),
                Replaced::Changed(_) => Err(StoreError::Protocol(UNASKED)),
            },
            Intent::Cleared { key } => match self.store.delete(key, Expected::Any, self.call)? {
                Replaced::Done => Ok(Outcome::Deleted),
                // By another logout; or by a regenerate, whose cookie a deletion here would take away.
                Replaced::Gone => Ok(Outcome::Ended),
                Replaced::Changed(_) => Err(StoreError::Protocol(UNASKED)),
            },
        }
    }

    fn create<'a>(&mut self, record: &'a [u8]) -> Result<Outcome<'a>, StoreError> {
        if record.len() > RECORD_CAP {
            return Err(too_large());
        }
        for _ in 0..DRAWS {
            let key = (self.draw)();
            match self.store.create(&key, record, self.ttl, self.call)? {
                Created::Done => {
                    return Ok(Outcome::Written {
                        key: Cow::Owned(key),
                        record: Cow::Borrowed(record),
                    });
                }
                Created::Exists => {}
            }
        }
        Err(StoreError::Protocol("every new session id is taken"))
    }

    fn change<'a>(&mut self, change: &Change<'a>) -> Result<Outcome<'a>, StoreError> {
        if change.new_key.is_none() && change.baseline == Some(change.record) {
            return Ok(Outcome::Unchanged);
        }
        let key = change.key;
        let _turn = self.turns.take(key, self.call)?;
        let mut expected = Cow::Borrowed(change.base);
        let mut wanted = Cow::Borrowed(change.record);
        if change
            .baseline
            .is_some_and(|baseline| change.base != baseline)
            && let Some(merged) = self.merge(change, change.base)?
        {
            // After an earlier save of the same session the record may hold what others had put into it by then.
            wanted = Cow::Owned(merged);
        }
        for attempt in 1.. {
            let empty = record::is_empty(&wanted);
            let exactly = Expected::Exactly(&expected);
            let replaced = if empty {
                self.store.delete(key, exactly, self.call)?
            } else {
                self.put(key, change.new_key, exactly, &wanted)?
            };
            match replaced {
                Replaced::Done if empty => return Ok(Outcome::Deleted),
                Replaced::Done => return Ok(written(key, change.new_key, wanted)),
                Replaced::Gone => return Ok(Outcome::Ended),
                Replaced::Changed(mut current) => {
                    if attempt == TRIES {
                        break;
                    }
                    if attempt > 1 {
                        match self.look_again(key, attempt)? {
                            Some(newer) => current = newer,
                            None => return Ok(Outcome::Ended),
                        }
                    }
                    let Some(merged) = self.merge(change, &current)? else {
                        return Ok(Outcome::Ended);
                    };
                    expected = Cow::Owned(current);
                    wanted = Cow::Owned(merged);
                }
            }
            if self.call.deadline.remaining().is_none() {
                return Err(StoreError::Unreachable(Unreachable::TimedOut));
            }
        }
        Err(StoreError::Contended)
    }

    /// The record after a pause: where several requests try at the same moment, each time all but one of them fail, unless
    /// they get out of step. None if it is gone.
    fn look_again(&mut self, key: &[u8], conflicts: usize) -> Result<Option<Vec<u8>>, StoreError> {
        self.call.pause((self.pace)(conflicts))?;
        Ok(match self.store.load(key, None, self.call)? {
            Loaded::Record(current) => Some(current),
            Loaded::Absent | Loaded::Foreign => None,
        })
    }

    /// This request's changes on the record that another one wrote. `None` where that can no longer be read: the session
    /// has ended then as if it were gone, since a record that nobody can read is no session, and is left as it is.
    fn merge(
        &mut self,
        change: &Change<'_>,
        current: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        // Both come from the same encoder, just now.
        let own = |_: RecordError| StoreError::Protocol("the session's own encoding");
        let baseline = match change.baseline {
            Some(baseline) => Cow::Borrowed(baseline),
            // What this session's format cannot hold was in it, and is no longer.
            None => (self.transcode)(change.base).map_or(Cow::Borrowed(change.base), Cow::Owned),
        };
        let baseline = Record::parse(&baseline).map_err(own)?;
        let new = Record::parse(change.record).map_err(own)?;
        let changes: Changes<'_> = record::difference(&baseline, &new).map_err(own)?;
        match changes.apply(current) {
            Ok(merged) => Ok(Some(merged)),
            Err(RecordError::TooLong) => Err(StoreError::Protocol("a record of too many keys")),
            Err(RecordError::NoRecord | RecordError::OtherFormat) => {
                let transcoded = (self.transcode)(current);
                Ok(transcoded.and_then(|current| changes.apply(&current).ok()))
            }
        }
    }

    /// The record in its place, or under its new key and no longer under the old one.
    fn put(
        &self,
        key: &[u8],
        new_key: Option<&[u8]>,
        expected: Expected<'_>,
        record: &[u8],
    ) -> Result<Replaced, StoreError> {
        if record.len() > RECORD_CAP {
            return Err(too_large());
        }
        match new_key {
            Some(new) => self
                .store
                .rotate(key, new, expected, record, self.ttl, self.call),
            None => self
                .store
                .replace(key, expected, record, self.ttl, self.call),
        }
    }
}

/// The parts of [`Intent::Changed`].
struct Change<'a> {
    key: &'a [u8],
    base: &'a [u8],
    baseline: Option<&'a [u8]>,
    record: &'a [u8],
    new_key: Option<&'a [u8]>,
}

/// What a store says that was not asked to compare anything.
const UNASKED: &str = "a comparison that was not asked for";

fn written<'a>(key: &'a [u8], new_key: Option<&'a [u8]>, record: Cow<'a, [u8]>) -> Outcome<'a> {
    Outcome::Written {
        key: Cow::Borrowed(new_key.unwrap_or(key)),
        record,
    }
}
