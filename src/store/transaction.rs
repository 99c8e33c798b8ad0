//! Replacing and moving a large record: WATCH and look, then write unless somebody else did.
//!
//! These are two round trips where a script is one, and the record crosses the network to be compared here. But it
//! does not pass through the server's Lua, which takes several times as long as sending it.

use redis::Value;

use super::commands::Commands;
use super::connection::Connection;
use super::redis::{NO_REPLY, RedisStore, Repeat, seconds};
use super::{Call, Expected, Replaced, StoreError, Ttl, occupied, refusal};

/// How often others may write between the look and the write.
const TRIES: usize = 5;

/// What is to be done if the record is what is expected.
pub(super) enum Change<'a> {
    Replace {
        key: &'a [u8],
        record: &'a [u8],
        ttl: Ttl,
    },
    Rotate {
        old: &'a [u8],
        new: &'a [u8],
        record: &'a [u8],
        ttl: Ttl,
    },
}

/// What stands under a key.
#[derive(PartialEq)]
enum Standing {
    Record(Vec<u8>),
    Nothing,
    Foreign,
}

impl Change<'_> {
    /// Carries it out in this store. Only the look is ever sent a second time over another connection.
    pub(super) fn apply(
        &self,
        store: &RedisStore,
        expected: Expected<'_>,
        call: &Call<'_>,
    ) -> Result<Replaced, StoreError> {
        let mut repeat = Repeat::Unused;
        for _ in 0..TRIES {
            let (mut connection, replies) = store.exchange(&self.look(), call, &mut repeat)?;
            let (now, target) = standings(replies)?;
            if let Some(answer) = self.objection(now, target, expected) {
                // The next user must not find a watch. One that cannot be taken off ends with the connection.
                if let Ok(replies) = connection.exchange(&Commands::new(&[b"UNWATCH"]), call)
                    && replies == [Value::Okay]
                {
                    store.put(connection);
                }
                return answer;
            }
            let written = self.write(&mut connection, call)?;
            store.put(connection);
            if written {
                return Ok(Replaced::Done);
            }
        }
        Err(StoreError::Contended)
    }

    fn look(&self) -> Commands {
        match *self {
            Change::Replace { key, .. } => Commands::new(&[b"WATCH", key]).and(&[b"GET", key]),
            Change::Rotate { old, new, .. } => Commands::new(&[b"WATCH", old, new])
                .and(&[b"GET", old])
                .and(&[b"GET", new]),
        }
    }

    /// Why nothing is written, if it is not: the same answers as those of the scripts.
    fn objection(
        &self,
        now: Standing,
        target: Standing,
        expected: Expected<'_>,
    ) -> Option<Result<Replaced, StoreError>> {
        match (self, now) {
            (Change::Rotate { record, .. }, Standing::Nothing | Standing::Foreign) => {
                let repeated = matches!(target, Standing::Record(there) if there == *record);
                Some(Ok(if repeated {
                    Replaced::Done
                } else {
                    Replaced::Gone
                }))
            }
            (_, Standing::Nothing | Standing::Foreign) => Some(Ok(Replaced::Gone)),
            (Change::Replace { record, .. }, Standing::Record(now)) if now == *record => None,
            (_, Standing::Record(now)) if !is_expected(&now, expected) => {
                Some(Ok(Replaced::Changed(now)))
            }
            (Change::Rotate { .. }, _) if target != Standing::Nothing => Some(Err(occupied())),
            _ => None,
        }
    }

    /// Writes; false if somebody else did since the look.
    fn write(&self, connection: &mut Connection, call: &Call<'_>) -> Result<bool, StoreError> {
        let (gone, key, record, ttl) = match *self {
            Change::Replace { key, record, ttl } => (None, key, record, ttl),
            Change::Rotate {
                old,
                new,
                record,
                ttl,
            } => (Some(old), new, record, ttl),
        };
        let mut digits = itoa::Buffer::new();
        let set: [&[u8]; 5] = [b"SET", key, record, b"EX", seconds(ttl, &mut digits)];
        let mut commands = Commands::new(&[b"MULTI"]).and(&set);
        if let Some(old) = gone {
            commands = commands.and(&[b"DEL", old]);
        }
        let commands = commands.and(&[b"EXEC"]);
        let replies = connection
            .exchange(&commands, call)
            .map_err(|failure| failure.error)?;
        // A command that is refused when it is queued gives its reason there, and EXEC none.
        let mut executed = None;
        for reply in replies {
            match reply {
                Value::ServerError(error) => return Err(refusal::refused(&error)),
                reply => executed = Some(reply),
            }
        }
        match executed {
            Some(Value::Nil) => Ok(false),
            Some(Value::Array(replies)) => {
                for reply in replies {
                    if let Value::ServerError(error) = reply {
                        return Err(refusal::refused(&error));
                    }
                }
                Ok(true)
            }
            _ => Err(NO_REPLY),
        }
    }
}

/// What a look found: under the first key, and under the second if there is one.
fn standings(replies: Vec<Value>) -> Result<(Standing, Standing), StoreError> {
    let mut replies = replies.into_iter();
    match replies.next() {
        Some(Value::Okay) => {}
        Some(Value::ServerError(error)) => return Err(refusal::refused(&error)),
        _ => return Err(NO_REPLY),
    }
    let mut next = || match replies.next() {
        Some(Value::BulkString(record)) => Ok(Standing::Record(record)),
        Some(Value::Nil) | None => Ok(Standing::Nothing),
        Some(Value::ServerError(error)) if error.code() == "WRONGTYPE" => Ok(Standing::Foreign),
        Some(Value::ServerError(error)) => Err(refusal::refused(&error)),
        Some(_) => Err(NO_REPLY),
    };
    Ok((next()?, next()?))
}

fn is_expected(now: &[u8], expected: Expected<'_>) -> bool {
    match expected {
        Expected::Any => true,
        Expected::Exactly(record) => now == record,
    }
}
