//! What every store has to pass.

use std::time::{Duration, Instant};

use flask_session_rs::store::{
    Call, Created, Deadline, Expected, Loaded, PollWaiter, Replaced, SessionStore, StoreError, Ttl,
    Unreachable,
};

/// A call with plenty of time.
pub(crate) fn call() -> Call<'static> {
    within(Duration::from_secs(10))
}

/// A call with this much time.
pub(crate) fn within(time: Duration) -> Call<'static> {
    Call {
        deadline: Deadline::after(time),
        waiter: &PollWaiter,
    }
}

pub(crate) fn hour() -> Ttl {
    Ttl::seconds(3600)
}

pub(crate) fn load(store: &dyn SessionStore, key: &[u8]) -> Loaded {
    store.load(key, None, &call()).unwrap()
}

/// Panics with a name instead of the records, for which there is no `Debug`.
#[track_caller]
#[allow(clippy::needless_pass_by_value)] // Outcomes are written where they are expected.
pub(crate) fn is<T: PartialEq>(what: T, expected: T) {
    assert!(what == expected, "another outcome than expected");
}

/// How long an operation may take beyond its deadline; instrumented by `tests/sanitizers.sh`, longer.
pub(crate) const GRACE: Duration = Duration::from_millis(match option_env!("SANITIZED") {
    None => 50,
    Some(_) => 500,
});

/// Tries something that has to end this long after its deadline. A machine with other work may come too late to see it
/// once, but not four times.
#[track_caller]
pub(crate) fn ends_within(time: Duration, mut attempt: impl FnMut(&Call<'_>)) {
    let mut took = Duration::ZERO;
    for _ in 0..4 {
        let start = Instant::now();
        attempt(&within(time));
        took = start.elapsed();
        if took < time + GRACE {
            return;
        }
    }
    panic!("{took:?} with a deadline of {time:?}");
}

/// A store with nothing in it passes. `place_foreign` puts something that is no record under a key.
pub(crate) fn accept(store: &dyn SessionStore, place_foreign: &dyn Fn(&[u8])) {
    records(store);
    for size in [0, 1000, 40_000, 100_000] {
        let sized = Sized { store, size };
        sized.replacing();
        sized.rotating();
        sized.deleting();
        sized.foreign(place_foreign);
    }
    expiry(store);
    over_time(store);
}

/// Bytes of every kind and of many lengths come back as they were.
fn records(store: &dyn SessionStore) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut records = vec![
        Vec::new(),
        b"1".to_vec(),
        b"0".to_vec(),
        b"\r\n$5\r\nhello\r\n".to_vec(),
        b"OK".to_vec(),
        b"any".to_vec(),
        every_byte.clone(),
    ];
    for length in [1, 4095, 16_371, 16_384, 16_385, 32_768, 100_000, 1_100_000] {
        records.push(every_byte.iter().copied().cycle().take(length).collect());
    }
    for (index, record) in records.iter().enumerate() {
        let key = format!("record {index} \r\n\0").into_bytes();
        is(load(store, &key), Loaded::Absent);
        is(
            store.create(&key, record, hour(), &call()).unwrap(),
            Created::Done,
        );
        is(load(store, &key), Loaded::Record(record.clone()));
        is(
            store.create(&key, b"other", hour(), &call()).unwrap(),
            Created::Exists,
        );
        is(
            store.load(&key, Some(hour()), &call()).unwrap(),
            Loaded::Record(record.clone()),
        );
        let next = [&record[..], b"+"].concat();
        let outcome = store.replace(&key, Expected::Exactly(record), &next, hour(), &call());
        is(outcome.unwrap(), Replaced::Done);
        let outcome = store.replace(&key, Expected::Exactly(record), b"late", hour(), &call());
        is(outcome.unwrap(), Replaced::Changed(next.clone()));
        is(load(store, &key), Loaded::Record(next));
    }
}

/// The verbs on records of a size: large ones may take another way.
struct Sized<'a> {
    store: &'a dyn SessionStore,
    size: usize,
}

impl Sized<'_> {
    /// A key of this size's own.
    fn key(&self, name: &str) -> Vec<u8> {
        format!("{name} {}", self.size).into_bytes()
    }

    /// A record that begins with these bytes.
    fn record(&self, text: &str) -> Vec<u8> {
        let mut record = text.as_bytes().to_vec();
        record.resize(text.len() + self.size, b'.');
        record
    }

    fn create(&self, key: &str, record: &[u8]) -> Created {
        self.store
            .create(&self.key(key), record, hour(), &call())
            .unwrap()
    }

    fn load(&self, key: &str) -> Loaded {
        load(self.store, &self.key(key))
    }

    fn replace(&self, key: &str, expected: Expected<'_>, record: &[u8]) -> Replaced {
        self.store
            .replace(&self.key(key), expected, record, hour(), &call())
            .unwrap()
    }

    fn rotate(
        &self,
        old: &str,
        new: &str,
        expected: Expected<'_>,
        record: &[u8],
    ) -> Result<Replaced, StoreError> {
        let (old, new) = (self.key(old), self.key(new));
        self.store
            .rotate(&old, &new, expected, record, hour(), &call())
    }

    fn delete(&self, key: &str, expected: Expected<'_>) -> Replaced {
        self.store
            .delete(&self.key(key), expected, &call())
            .unwrap()
    }

    fn replacing(&self) {
        let [one, two, three, four] = ["1", "2", "3", "4"].map(|text| self.record(text));
        let replace = |expected, record: &[u8]| self.replace("r", expected, record);
        // What is gone stays gone.
        is(replace(Expected::Any, &two), Replaced::Gone);
        is(replace(Expected::Exactly(&one), &two), Replaced::Gone);
        is(replace(Expected::Exactly(b""), &one), Replaced::Gone);
        is(self.load("r"), Loaded::Absent);
        is(self.create("r", &one), Created::Done);
        is(replace(Expected::Exactly(&one), &two), Replaced::Done);
        is(
            replace(Expected::Exactly(&one), &three),
            Replaced::Changed(two.clone()),
        );
        // The same change once more, as after a reply that was lost.
        is(replace(Expected::Exactly(&one), &two), Replaced::Done);
        is(replace(Expected::Any, &four), Replaced::Done);
        is(
            replace(Expected::Exactly(b""), &one),
            Replaced::Changed(four.clone()),
        );
        is(replace(Expected::Exactly(&four), b""), Replaced::Done);
        is(
            replace(Expected::Exactly(&four), &one),
            Replaced::Changed(Vec::new()),
        );
        is(replace(Expected::Exactly(b""), b"any"), Replaced::Done);
        is(self.load("r"), Loaded::Record(b"any".to_vec()));
    }

    fn rotating(&self) {
        let [zero, one, two, three] = ["0", "1", "2", "3"].map(|text| self.record(text));
        is(
            self.rotate("old", "new", Expected::Any, &two).unwrap(),
            Replaced::Gone,
        );
        is(self.load("new"), Loaded::Absent);
        is(self.create("old", &one), Created::Done);
        let rotate = |expected, record: &[u8]| self.rotate("old", "new", expected, record).unwrap();
        is(
            rotate(Expected::Exactly(&zero), &two),
            Replaced::Changed(one.clone()),
        );
        is(self.load("old"), Loaded::Record(one.clone()));
        is(self.load("new"), Loaded::Absent);
        is(rotate(Expected::Exactly(&one), &two), Replaced::Done);
        is(self.load("old"), Loaded::Absent);
        is(self.load("new"), Loaded::Record(two.clone()));
        // Once more, and what is not the same.
        is(rotate(Expected::Exactly(&one), &two), Replaced::Done);
        is(rotate(Expected::Exactly(&one), &three), Replaced::Gone);
        // The old id stays dead.
        is(self.replace("old", Expected::Any, &three), Replaced::Gone);
        // A key that is taken is not written to.
        is(self.create("taken", b"somebody's"), Created::Done);
        for key in ["taken", "new"] {
            let error = self
                .rotate("new", key, Expected::Any, &three)
                .err()
                .unwrap();
            assert!(matches!(error, StoreError::Refused { code, .. } if &*code == "BUSYKEY"));
        }
        is(self.load("new"), Loaded::Record(two));
        is(self.load("taken"), Loaded::Record(b"somebody's".to_vec()));
    }

    fn deleting(&self) {
        let [one, two] = ["1", "2"].map(|text| self.record(text));
        is(self.delete("d", Expected::Any), Replaced::Gone);
        is(self.delete("d", Expected::Exactly(&one)), Replaced::Gone);
        for expected in [Expected::Exactly(&one), Expected::Any] {
            is(self.create("d", &one), Created::Done);
            is(
                self.delete("d", Expected::Exactly(&two)),
                Replaced::Changed(one.clone()),
            );
            is(self.load("d"), Loaded::Record(one.clone()));
            is(self.delete("d", expected), Replaced::Done);
            is(self.load("d"), Loaded::Absent);
        }
    }

    /// What is no record is left as it is.
    fn foreign(&self, place_foreign: &dyn Fn(&[u8])) {
        let (one, two) = (self.record("1"), self.record("2"));
        place_foreign(&self.key("f"));
        is(self.create("mine", &one), Created::Done);
        for slide in [None, Some(hour())] {
            let loaded = self.store.load(&self.key("f"), slide, &call());
            is(loaded.unwrap(), Loaded::Foreign);
        }
        is(self.create("f", &one), Created::Exists);
        for expected in [
            Expected::Any,
            Expected::Exactly(&one),
            Expected::Exactly(b""),
        ] {
            is(self.replace("f", expected, &one), Replaced::Gone);
            is(
                self.rotate("f", "g", expected, &one).unwrap(),
                Replaced::Gone,
            );
            is(self.delete("f", expected), Replaced::Gone);
        }
        assert!(self.rotate("mine", "f", Expected::Any, &two).is_err());
        is(self.load("f"), Loaded::Foreign);
        is(self.load("g"), Loaded::Absent);
        is(self.load("mine"), Loaded::Record(one));
    }
}

/// Each verb that writes sets the expiry, and a load with `slide` sets it anew.
fn expiry(store: &dyn SessionStore) {
    let second = Ttl::seconds(-5);
    let keys: [&[u8]; 6] = [
        b"gone 1", b"gone 2", b"gone 3", b"kept 1", b"kept 2", b"kept 3",
    ];
    for key in keys {
        store.create(key, b"1", second, &call()).unwrap();
    }
    store
        .create(b"long", b"1", Ttl::seconds(i64::MAX), &call())
        .unwrap();
    store.create(b"short", b"1", hour(), &call()).unwrap();
    store
        .replace(b"short", Expected::Any, b"2", second, &call())
        .unwrap();
    store.create(b"from", b"1", hour(), &call()).unwrap();
    store
        .rotate(b"from", b"to", Expected::Any, b"2", second, &call())
        .unwrap();
    // A look does not slide.
    load(store, b"gone 1");
    store.load(b"kept 1", Some(hour()), &call()).unwrap();
    store
        .replace(b"kept 2", Expected::Exactly(b"1"), b"1", hour(), &call())
        .unwrap();
    store
        .replace(b"kept 3", Expected::Any, b"1", hour(), &call())
        .unwrap();
    store
        .replace(b"gone 2", Expected::Exactly(b"2"), b"3", hour(), &call())
        .unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    for key in [&b"gone 1"[..], b"gone 2", b"gone 3", b"short", b"to"] {
        is(load(store, key), Loaded::Absent);
        is(
            store.create(key, b"1", hour(), &call()).unwrap(),
            Created::Done,
        );
    }
    for key in [&b"kept 1"[..], b"kept 2", b"kept 3", b"long"] {
        is(load(store, key), Loaded::Record(b"1".to_vec()));
    }
}

/// A deadline that has passed is no reason to try.
fn over_time(store: &dyn SessionStore) {
    let late = within(Duration::ZERO);
    let error = store.create(b"late", b"1", hour(), &late).err().unwrap();
    assert_eq!(error, StoreError::Unreachable(Unreachable::TimedOut));
    is(load(store, b"late"), Loaded::Absent);
}
