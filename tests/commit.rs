//! What a save does to the store, alone and in every interleaving of up to three requests.

#![allow(clippy::unwrap_used)]

#[path = "common/steps.rs"]
mod steps;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use flask_session_rs::commit::{Commit, Intent, Outcome, TRIES};
use flask_session_rs::json_reader::{Next, Reader as JsonReader, Text, Token as JsonToken};
use flask_session_rs::msgpack::{self, Reader, Token};
use flask_session_rs::record::Format;
use flask_session_rs::store::{Loaded, SessionStore, StoreError, Ttl, Unreachable};
use flask_session_rs::turns::Turns;

use steps::{Bytes, Records, Replay, Reply, Verb, call};

/// A session: its keys and numbers.
type Session = BTreeMap<String, i64>;

fn encode(session: &Session, format: Format) -> Bytes {
    let mut out = Vec::new();
    match format {
        Format::MsgPack => {
            msgpack::write_map(session.len(), &mut out).unwrap();
            for (key, value) in session {
                msgpack::write_str(key.as_bytes(), &mut out).unwrap();
                msgpack::write_i64(*value, &mut out);
            }
        }
        Format::Json => {
            let entries = session
                .iter()
                .map(|(key, value)| format!("\"{key}\":{value}"));
            out.extend(format!("{{{}}}", entries.collect::<Vec<_>>().join(",")).into_bytes());
        }
    }
    out
}

fn decode(record: &[u8]) -> Option<Session> {
    let mut session = Session::new();
    match Format::of(record)? {
        Format::MsgPack => {
            let mut reader = Reader::new(record);
            let Token::Map(entries) = reader.value()? else {
                return None;
            };
            for _ in 0..entries {
                let (Token::Str(key), Token::Int(value)) = (reader.value()?, reader.value()?)
                else {
                    return None;
                };
                session.insert(String::from_utf8(key.to_vec()).ok()?, value);
            }
            reader.rest().is_empty().then_some(session)
        }
        Format::Json => {
            let mut reader = JsonReader::new(record);
            reader.value()?;
            while let Next::One(Text::Ascii(key)) = reader.key(session.len())? {
                let JsonToken::Int(value) = reader.value()? else {
                    return None;
                };
                session.insert(String::from_utf8(key.to_vec()).ok()?, value);
            }
            reader.is_at_end().then_some(session)
        }
    }
}

fn session(entries: &[(&str, i64)]) -> Session {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), *value))
        .collect()
}

/// The record of a session in msgpack.
fn record(entries: &[(&str, i64)]) -> Bytes {
    encode(&session(entries), Format::MsgPack)
}

/// Runs one intent against these replies. What it asked in the end, if they were too few.
fn replay<'a>(
    intent: Intent<'a>,
    replies: &[Reply],
    time: Duration,
) -> (Result<Outcome<'a>, StoreError>, Option<Verb>) {
    let store = Replay::new(replies);
    let mut drawn = 0;
    let outcome = Commit {
        store: &store,
        ttl: Ttl::seconds(60),
        call: &call(time),
        transcode: &mut |record| decode(record).map(|session| encode(&session, Format::MsgPack)),
        draw: &mut || {
            drawn += 1;
            format!("drawn {drawn}").into_bytes()
        },
        pace: &mut |_| Duration::ZERO,
        turns: &Turns::new(),
    }
    .run(intent);
    (outcome, store.pending())
}

const LONG: Duration = Duration::from_secs(60);

/// Asserts which verbs an intent takes with these replies, and returns its outcome.
fn asks<'a>(intent: Intent<'a>, steps: &[(Verb, Reply)]) -> Result<Outcome<'a>, StoreError> {
    let replies: Vec<Reply> = steps.iter().map(|(_, reply)| reply.clone()).collect();
    for (at, (verb, _)) in steps.iter().enumerate() {
        let (outcome, pending) = replay(intent, &replies[..at], LONG);
        assert_eq!(pending.as_ref(), Some(verb), "step {at}");
        assert!(matches!(outcome, Err(StoreError::Interrupted)), "step {at}");
    }
    let (outcome, pending) = replay(intent, &replies, LONG);
    assert_eq!(pending, None);
    outcome
}

#[allow(clippy::unnecessary_wraps)] // It is compared with what can fail.
fn written(key: &str, record: Bytes) -> Result<Outcome<'static>, StoreError> {
    Ok(Outcome::Written {
        key: key.as_bytes().to_vec().into(),
        record: record.into(),
    })
}

/// `Outcome` has no `Debug`, since it holds a session.
#[track_caller]
fn same(outcome: &Result<Outcome<'_>, StoreError>, expected: &Result<Outcome<'_>, StoreError>) {
    assert!(outcome == expected);
}

fn changed<'a>(base: &'a [u8], record: &'a [u8], new_key: Option<&'a [u8]>) -> Intent<'a> {
    Intent::Changed {
        key: b"k",
        base,
        baseline: Some(base),
        record,
        new_key,
    }
}

#[test]
fn new_sessions() {
    let record = record(&[("a", 1)]);
    let create = |n: i64| Verb::Create(format!("drawn {n}").into_bytes(), record.clone());
    let intent = Intent::New { record: &record };
    let outcome = asks(intent, &[(create(1), Reply::Created(true))]);
    same(&outcome, &written("drawn 1", record.clone()));
    let taken = |n| (create(n), Reply::Created(false));
    let outcome = asks(
        intent,
        &[taken(1), taken(2), (create(3), Reply::Created(true))],
    );
    same(&outcome, &written("drawn 3", record.clone()));
    let outcome = asks(intent, &[taken(1), taken(2), taken(3)]);
    assert!(matches!(outcome, Err(StoreError::Protocol(_))));
}

#[test]
fn changed_sessions() {
    let (base, new) = (record(&[("a", 1), ("b", 1)]), record(&[("a", 2), ("c", 3)]));
    let replace = |expected: &Bytes, record: &Bytes| {
        Verb::Replace(b"k".to_vec(), Some(expected.clone()), record.clone())
    };
    let rotate = |expected: &Bytes, record: &Bytes| {
        Verb::Rotate(
            b"k".to_vec(),
            b"n".to_vec(),
            Some(expected.clone()),
            record.clone(),
        )
    };
    let intent = changed(&base, &new, None);
    let first = replace(&base, &new);
    same(
        &asks(intent, &[(first.clone(), Reply::Done)]),
        &written("k", new.clone()),
    );
    same(
        &asks(intent, &[(first.clone(), Reply::Gone)]),
        &Ok(Outcome::Ended),
    );

    let others = record(&[("a", 1), ("b", 7), ("x", 9)]);
    let merged = record(&[("a", 2), ("x", 9), ("c", 3)]);
    // Entries are written in their order here, and in that of the keys by `record`.
    let merged_order = |merged: &Bytes| decode(merged).unwrap();
    let (_, pending) = replay(intent, &[Reply::Changed(others.clone())], LONG);
    let Some(Verb::Replace(_, Some(expected), second)) = pending else {
        panic!()
    };
    assert_eq!(expected, others);
    assert_eq!(merged_order(&second), merged_order(&merged));
    let steps = [
        (first.clone(), Reply::Changed(others.clone())),
        (replace(&others, &second), Reply::Done),
    ];
    same(&asks(intent, &steps), &written("k", second.clone()));
    let steps = [
        (first.clone(), Reply::Changed(others.clone())),
        (replace(&others, &second), Reply::Gone),
    ];
    same(&asks(intent, &steps), &Ok(Outcome::Ended));

    // Moved at the same time: each step is a rotation.
    let moved = changed(&base, &new, Some(b"n"));
    same(
        &asks(moved, &[(rotate(&base, &new), Reply::Done)]),
        &written("n", new.clone()),
    );
    same(
        &asks(moved, &[(rotate(&base, &new), Reply::Gone)]),
        &Ok(Outcome::Ended),
    );
    let steps = [
        (rotate(&base, &new), Reply::Changed(others.clone())),
        (rotate(&others, &second), Reply::Done),
    ];
    same(&asks(moved, &steps), &written("n", second));

    // Nothing changed: nothing is asked, unless it moves.
    same(
        &asks(changed(&base, &base, None), &[]),
        &Ok(Outcome::Unchanged),
    );
    let moved = changed(&base, &base, Some(b"n"));
    same(
        &asks(moved, &[(rotate(&base, &base), Reply::Done)]),
        &written("n", base.clone()),
    );
}

#[test]
fn another_encoders_ways_are_no_changes() {
    // `a` is 1 and `b` is 2, both in five bytes, as nobody writes them.
    let base = b"\x82\xa1a\xd2\0\0\0\x01\xa1b\xd2\0\0\0\x02".to_vec();
    let baseline = record(&[("a", 1), ("b", 2)]);
    let new = record(&[("a", 1), ("b", 3)]);
    let intent = |record| Intent::Changed {
        key: b"k",
        base: &base,
        baseline: Some(&baseline),
        record,
        new_key: None,
    };
    same(&asks(intent(&baseline), &[]), &Ok(Outcome::Unchanged));
    // Only `b` is this request's: `a` stays as it was written.
    let current = record(&[("a", 9), ("b", 2)]);
    let changed = b"\x82\xa1a\xd2\0\0\0\x01\xa1b\x03".to_vec();
    let steps = [
        (
            Verb::Replace(b"k".to_vec(), Some(base.clone()), changed),
            Reply::Changed(current.clone()),
        ),
        (
            Verb::Replace(b"k".to_vec(), Some(current), record(&[("a", 9), ("b", 3)])),
            Reply::Done,
        ),
    ];
    same(
        &asks(intent(&new), &steps),
        &written("k", record(&[("a", 9), ("b", 3)])),
    );
}

#[test]
fn what_was_loaded_is_encoded_again_only_when_it_is_needed() {
    let base = b"\x82\xa1a\xd2\0\0\0\x01\xa1b\xd2\0\0\0\x02".to_vec();
    let new = record(&[("a", 1), ("b", 3)]);
    let intent = Intent::Changed {
        key: b"k",
        base: &base,
        baseline: None,
        record: &new,
        new_key: None,
    };
    // It is written as it is; when another request was faster, only `b` is this one's.
    let current = record(&[("a", 9), ("b", 2)]);
    let steps = [
        (
            Verb::Replace(b"k".to_vec(), Some(base.clone()), new.clone()),
            Reply::Changed(current.clone()),
        ),
        (
            Verb::Replace(b"k".to_vec(), Some(current), record(&[("a", 9), ("b", 3)])),
            Reply::Done,
        ),
    ];
    same(
        &asks(intent, &steps),
        &written("k", record(&[("a", 9), ("b", 3)])),
    );
    same(
        &asks(intent, &[(steps[0].0.clone(), Reply::Done)]),
        &written("k", new.clone()),
    );
}

#[test]
fn another_format_and_no_format() {
    let (base, new) = (record(&[("a", 1)]), record(&[("a", 1), ("b", 2)]));
    let intent = changed(&base, &new, None);
    let first = Verb::Replace(b"k".to_vec(), Some(base.clone()), new.clone());
    let json = br#"{"a":5,"c":6}"#.to_vec();
    let merged = [
        &b"\x83"[..],
        &record(&[("a", 5), ("c", 6)])[1..],
        &record(&[("b", 2)])[1..],
    ]
    .concat();
    let steps = [
        (first.clone(), Reply::Changed(json.clone())),
        (
            Verb::Replace(b"k".to_vec(), Some(json), merged.clone()),
            Reply::Done,
        ),
    ];
    same(&asks(intent, &steps), &written("k", merged));
    // What nobody can read is no session any more, and is left alone.
    for junk in [
        &b"junk"[..],
        b"",
        b"{\"a\":",
        b"\x81\xa1a",
        b"\x80\x04\x95",
        b"[1]",
    ] {
        let steps = [(first.clone(), Reply::Changed(junk.to_vec()))];
        same(&asks(intent, &steps), &Ok(Outcome::Ended));
    }
}

#[test]
fn emptied_key_by_key() {
    let base = record(&[("_permanent", 1), ("a", 1)]);
    let delete = |expected: &Bytes| Verb::Delete(b"k".to_vec(), Some(expected.clone()));
    for left in [record(&[]), record(&[("_permanent", 1)])] {
        for new_key in [None, Some(&b"n"[..])] {
            let intent = changed(&base, &left, new_key);
            same(
                &asks(intent, &[(delete(&base), Reply::Done)]),
                &Ok(Outcome::Deleted),
            );
            // What another request put into it lives on.
            let others = record(&[("_permanent", 1), ("a", 1), ("x", 1)]);
            let (_, pending) = replay(intent, &[Reply::Changed(others.clone())], LONG);
            let lives = match (&pending, new_key) {
                (Some(Verb::Replace(_, _, record)), None)
                | (Some(Verb::Rotate(_, _, _, record)), Some(_)) => record.clone(),
                _ => panic!("{pending:?}"),
            };
            assert!(decode(&lives).unwrap().contains_key("x"));
            assert!(!decode(&lives).unwrap().contains_key("a"));
            let steps = [
                (delete(&base), Reply::Changed(others)),
                (pending.unwrap(), Reply::Done),
            ];
            let key = if new_key.is_some() { "n" } else { "k" };
            same(&asks(intent, &steps), &written(key, lives));
            // Two requests that remove one key each leave nothing.
            let others = record(&[("a", 2)]);
            let steps = [
                (delete(&base), Reply::Changed(others.clone())),
                (delete(&others), Reply::Done),
            ];
            same(&asks(intent, &steps), &Ok(Outcome::Deleted));
        }
    }
}

#[test]
fn the_last_key_of_two_that_two_requests_remove() {
    let (base, new) = (record(&[("a", 1), ("b", 1)]), record(&[("b", 1)]));
    let others = record(&[("a", 1)]);
    let steps = [
        (
            Verb::Replace(b"k".to_vec(), Some(base.clone()), new.clone()),
            Reply::Changed(others.clone()),
        ),
        (Verb::Delete(b"k".to_vec(), Some(others)), Reply::Done),
    ];
    same(
        &asks(changed(&base, &new, None), &steps),
        &Ok(Outcome::Deleted),
    );
}

#[test]
fn cleared_and_filled_again() {
    let record = record(&[("user", 1)]);
    for (new_key, verb) in [
        (None, Verb::Replace(b"k".to_vec(), None, record.clone())),
        (
            Some(&b"n"[..]),
            Verb::Rotate(b"k".to_vec(), b"n".to_vec(), None, record.clone()),
        ),
    ] {
        let intent = Intent::Overwritten {
            key: b"k",
            record: &record,
            new_key,
        };
        let key = if new_key.is_some() { "n" } else { "k" };
        same(
            &asks(intent, &[(verb.clone(), Reply::Done)]),
            &written(key, record.clone()),
        );
        same(
            &asks(intent, &[(verb.clone(), Reply::Gone)]),
            &Ok(Outcome::Ended),
        );
        let absurd = asks(intent, &[(verb, Reply::Changed(record.clone()))]);
        assert!(matches!(absurd, Err(StoreError::Protocol(_))));
    }
}

#[test]
fn cleared() {
    let intent = Intent::Cleared { key: b"k" };
    let verb = Verb::Delete(b"k".to_vec(), None);
    same(
        &asks(intent, &[(verb.clone(), Reply::Done)]),
        &Ok(Outcome::Deleted),
    );
    same(
        &asks(intent, &[(verb.clone(), Reply::Gone)]),
        &Ok(Outcome::Ended),
    );
    assert!(asks(intent, &[(verb, Reply::Changed(Vec::new()))]).is_err());
}

#[test]
fn contended() {
    let (base, new) = (record(&[("a", 1)]), record(&[("a", 2)]));
    // From the second conflict on, the record is read again after a pause.
    let mut replies = vec![Reply::Changed(record(&[("a", 1), ("x", 0)]))];
    for n in 1..10 {
        replies.push(Reply::Changed(record(&[("a", 1), ("x", n)])));
        replies.push(Reply::Loaded(Some(record(&[("a", 1), ("x", n)]))));
    }
    let intent = changed(&base, &new, None);
    let steps = TRIES + (TRIES - 2);
    for done in 0..steps {
        let (outcome, pending) = replay(intent, &replies[..done], LONG);
        assert!(matches!(outcome, Err(StoreError::Interrupted)) && pending.is_some());
    }
    let replies = &replies[..steps];
    let (outcome, pending) = replay(intent, replies, LONG);
    assert!(matches!(outcome, Err(StoreError::Contended)) && pending.is_none());
    // The first step is the store's to time; further ones are not begun when the time is over.
    let (outcome, pending) = replay(intent, replies, Duration::ZERO);
    let timed_out = StoreError::Unreachable(Unreachable::TimedOut);
    assert!(outcome == Err(timed_out) && pending.is_none());
}

/// What a request does between loading and saving.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
enum Kind {
    Read,
    /// Sets a key of its own.
    Write,
    /// Clears, sets the user, regenerates.
    LogIn,
    /// Clears.
    LogOut,
    Regenerate,
    /// Removes each key that it loaded.
    Empty,
}

const KINDS: [Kind; 6] = [
    Kind::Read,
    Kind::Write,
    Kind::LogIn,
    Kind::LogOut,
    Kind::Regenerate,
    Kind::Empty,
];

/// How a request ended, with the key in force.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
enum End {
    /// Nothing was to be saved.
    Nothing,
    /// A session of its own, since there was none when it began.
    New(Bytes),
    Written(Bytes),
    Deleted,
    Ended,
}

const OLD: &[u8] = b"old";

/// A whole request, with the replies that it got so far.
fn request(kind: Kind, me: usize, format: Format, replies: &[Reply]) -> Result<End, Verb> {
    let store = Replay::new(replies);
    let end = visit(kind, me, format, &store);
    match (end, store.pending()) {
        (Ok(end), None) => Ok(end),
        (Err(StoreError::Interrupted), Some(verb)) => Err(verb),
        (end, pending) => panic!("{end:?} {pending:?}"),
    }
}

fn visit(kind: Kind, me: usize, format: Format, store: &Replay) -> Result<End, StoreError> {
    let call = call(LONG);
    let own = i64::try_from(me).unwrap();
    let base = match store.load(OLD, None, &call)? {
        Loaded::Record(record) => Some(record),
        Loaded::Absent | Loaded::Foreign => None,
    };
    let loaded = base
        .as_ref()
        .map_or_else(Session::new, |base| decode(base).unwrap());
    let mut now = loaded.clone();
    let new_key = format!("moved {me}").into_bytes();
    let (cleared, regenerated) = (
        matches!(kind, Kind::LogIn | Kind::LogOut),
        matches!(kind, Kind::LogIn | Kind::Regenerate),
    );
    match kind {
        Kind::Read | Kind::Regenerate => {}
        Kind::Write => {
            now.insert(format!("own {me}"), own);
        }
        Kind::LogIn => now = Session::from([("user".to_owned(), own)]),
        Kind::LogOut | Kind::Empty => now.clear(),
    }
    let record = encode(&now, format);
    let baseline = encode(&loaded, format);
    let intent = match &base {
        None if now.is_empty() => return Ok(End::Nothing),
        None => Intent::New { record: &record },
        Some(_) if cleared && now.is_empty() => Intent::Cleared { key: OLD },
        Some(_) if cleared => Intent::Overwritten {
            key: OLD,
            record: &record,
            new_key: regenerated.then_some(&new_key),
        },
        Some(base) => Intent::Changed {
            key: OLD,
            base,
            // A session that surely changed need not be encoded again: half of them are not.
            baseline: (now == loaded || me.is_multiple_of(2)).then_some(&baseline),
            record: &record,
            new_key: regenerated.then_some(&new_key),
        },
    };
    let outcome = Commit {
        store,
        ttl: Ttl::seconds(60),
        call: &call,
        transcode: &mut |record| decode(record).map(|session| encode(&session, format)),
        draw: &mut || format!("new {me}").into_bytes(),
        pace: &mut |_| Duration::ZERO,
        turns: &Turns::new(),
    }
    .run(intent)?;
    Ok(match outcome {
        Outcome::Written { key, record } => {
            assert!(decode(&record).is_some());
            match base {
                None => End::New(key.into_owned()),
                Some(_) => End::Written(key.into_owned()),
            }
        }
        Outcome::Unchanged => End::Nothing,
        Outcome::Deleted => End::Deleted,
        Outcome::Ended => End::Ended,
    })
}

/// A moment of the whole: what is stored, how far each request is, and what must never be again.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Moment {
    records: Records,
    replies: Vec<Vec<Reply>>,
    /// Keys under which a record has ended.
    dead: BTreeSet<Bytes>,
    /// Whether a request that cleared the session has deleted it.
    logged_out: bool,
}

struct Explorer {
    kinds: Vec<Kind>,
    formats: Vec<Format>,
    seen: HashSet<Moment>,
    ends: usize,
}

impl Explorer {
    fn from(&mut self, moment: &Moment) {
        if !self.seen.insert(moment.clone()) {
            return;
        }
        let mut ends = Vec::new();
        for at in 0..self.kinds.len() {
            match request(self.kinds[at], at, self.formats[at], &moment.replies[at]) {
                Ok(end) => ends.push(end),
                Err(verb) => {
                    let next = self.step(moment, at, &verb);
                    self.from(&next);
                }
            }
        }
        if ends.len() == self.kinds.len() {
            self.ends += 1;
            self.judge(moment, &ends);
        }
    }

    fn step(&self, moment: &Moment, at: usize, verb: &Verb) -> Moment {
        let mut next = moment.clone();
        let reply = verb.run(&mut next.records);
        next.replies[at].push(reply);
        for key in moment.records.keys() {
            if !next.records.contains_key(key) {
                next.dead.insert(key.clone());
                next.logged_out |= self.kinds[at] == Kind::LogOut;
            }
        }
        for key in &next.dead {
            assert!(
                !next.records.contains_key(key),
                "{key:?} came back: {:?}",
                self.kinds
            );
        }
        next
    }

    fn judge(&self, moment: &Moment, ends: &[End]) {
        let kinds = &self.kinds;
        let stored: Vec<(&Bytes, Session)> = moment
            .records
            .iter()
            .map(|(key, record)| (key, decode(record).unwrap()))
            .collect();
        // The session that was there in the beginning, wherever it is now.
        let drawn = |key: &Bytes| key.starts_with(b"new ");
        let heirs: Vec<_> = stored.iter().filter(|(key, _)| !drawn(key)).collect();
        assert!(heirs.len() <= 1, "{kinds:?}: two heirs");
        let heir = heirs.first();
        if moment.logged_out {
            assert!(heir.is_none(), "{kinds:?}: brought back after a logout");
        }
        let (mut logged_in, mut emptied) = (false, false);
        for (at, end) in ends.iter().enumerate() {
            match (kinds[at], end) {
                // A login stands whole, and takes nothing over.
                (Kind::LogIn, End::Written(key)) => {
                    logged_in = true;
                    let user = Session::from([("user".to_owned(), i64::try_from(at).unwrap())]);
                    assert!(
                        heir.is_none_or(|(_, session)| *session == user),
                        "{kinds:?}: mixed"
                    );
                    assert!(heir.is_none_or(|(heir, _)| *heir == key));
                }
                (Kind::Empty, End::Written(_) | End::Deleted) => emptied = true,
                // Who is told that the session has ended is told so since it did.
                (_, End::Ended) => assert!(moment.dead.contains(OLD), "{kinds:?}: not ended"),
                // A request that began when there was none has its own.
                (kind, End::New(key)) => {
                    let own = if kind == Kind::LogIn {
                        "user".to_owned()
                    } else {
                        format!("own {at}")
                    };
                    let session = decode(&moment.records[key]).unwrap();
                    assert_eq!(session, Session::from([(own, i64::try_from(at).unwrap())]));
                }
                _ => {}
            }
        }
        // No disjoint change is lost: who was told that it is written finds it in the heir, unless the session was
        // cleared by someone.
        for (at, end) in ends.iter().enumerate() {
            if kinds[at] == Kind::Write
                && matches!(end, End::Written(_))
                && !logged_in
                && !moment.logged_out
            {
                let own = format!("own {at}");
                let kept = heir.is_some_and(|(_, session)| session.contains_key(&own));
                // Who emptied it key by key may have loaded this change, too.
                let removed =
                    kinds.contains(&Kind::Empty) && loaded_own(kinds, &moment.replies, &own);
                assert!(kept || removed, "{kinds:?}: a change is lost");
            }
        }
        // Without anybody who ends a session, all writers are told that theirs is written.
        if kinds
            .iter()
            .all(|kind| matches!(kind, Kind::Read | Kind::Write))
        {
            for (at, kind) in kinds.iter().enumerate() {
                let expected = match kind {
                    Kind::Write => End::Written(OLD.to_vec()),
                    _ => End::Nothing,
                };
                assert_eq!(ends[at], expected, "{kinds:?}");
            }
            assert!(heir.unwrap().1.contains_key("cart"));
        }
        // What nobody touched stays.
        let cleared = kinds
            .iter()
            .any(|kind| matches!(kind, Kind::LogIn | Kind::LogOut | Kind::Empty));
        if !cleared {
            assert!(
                heir.is_some_and(|(_, session)| session.contains_key("cart")),
                "{kinds:?}"
            );
        }
        if emptied && !logged_in {
            assert!(
                heir.is_none_or(|(_, session)| !session.contains_key("cart")),
                "{kinds:?}"
            );
        }
    }
}

/// Whether a request that emptied the session had loaded this key.
fn loaded_own(kinds: &[Kind], replies: &[Vec<Reply>], own: &str) -> bool {
    kinds.iter().zip(replies).any(|(kind, replies)| {
        *kind == Kind::Empty
            && matches!(replies.first(), Some(Reply::Loaded(Some(record)))
                if decode(record).unwrap().contains_key(own))
    })
}

fn explore(kinds: &[Kind], formats: &[Format]) -> usize {
    let base = encode(&session(&[("cart", 1)]), Format::MsgPack);
    let mut explorer = Explorer {
        kinds: kinds.to_vec(),
        formats: formats.to_vec(),
        seen: HashSet::new(),
        ends: 0,
    };
    explorer.from(&Moment {
        records: Records::from([(OLD.to_vec(), base)]),
        replies: vec![Vec::new(); kinds.len()],
        dead: BTreeSet::new(),
        logged_out: false,
    });
    explorer.ends
}

#[test]
fn every_interleaving_of_up_to_three_requests() {
    let mut ends = 0;
    for first in KINDS {
        ends += explore(&[first], &[Format::MsgPack]);
        for second in KINDS {
            for formats in [[Format::MsgPack; 2], [Format::MsgPack, Format::Json]] {
                ends += explore(&[first, second], &formats);
            }
            for third in KINDS {
                let mixed = [Format::Json, Format::MsgPack, Format::Json];
                for formats in [[Format::MsgPack; 3], mixed] {
                    ends += explore(&[first, second, third], &formats);
                }
            }
        }
    }
    // Different histories, counted once where they cannot be told apart.
    assert!(ends > 5_000, "{ends}");
}
