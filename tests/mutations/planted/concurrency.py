"""Planted faults: requests at the same time."""

from ..fault import Edit
from ..fault import Mutation

MUTATIONS = (
    Mutation(
        "a new record is written over one that is there",
        (
            Edit(
                "src/store/redis.rs",
                '        let words: [&[u8]; 6] = [b"SET", key, record, b"EX", seconds(ttl, &mut digits), b"NX"];',
                '        let words: [&[u8]; 5] = [b"SET", key, record, b"EX", seconds(ttl, &mut digits)];',
            ),
        ),
        ("tests/store.rs::redis_over_tcp",),
    ),
    Mutation(
        "a record is replaced whatever it has become",
        (
            Edit(
                "src/store/scripts.rs",
                "if ARGV[1] ~= 'any' and now ~= ARGV[3] and now ~= ARGV[2] then return now end\n",
                "",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestDifferentKeys",),
    ),
    Mutation(
        "a record is deleted whatever it has become",
        (
            Edit(
                "src/store/scripts.rs",
                "if ARGV[1] ~= 'any' and now ~= ARGV[2] then return now end\n",
                "",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestEmptiedKeyByKey",),
    ),
    Mutation(
        "a record that is gone is written again",
        (
            Edit(
                "src/store/scripts.rs",
                "if type(now) ~= 'string' then return 0 end\n"
                "if ARGV[1] ~= 'any' and now ~= ARGV[3] and now",
                "if type(now) == 'string' and ARGV[1] ~= 'any' and now ~= ARGV[3] and now",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestALogout",),
    ),
    Mutation(
        "a large record is replaced whatever it has become",
        (
            Edit(
                "src/store/transaction.rs",
                "(_, Standing::Record(now)) if !is_expected(&now, expected) => {",
                "(_, Standing::Record(now)) if now.is_empty() && !is_expected(&now, expected) => {",
            ),
        ),
        ("tests/store.rs::redis_over_tcp",),
    ),
    Mutation(
        "a large record is no longer watched when it is written",
        (
            Edit(
                "src/store/transaction.rs",
                "        let mut digits = itoa::Buffer::new();",
                '        let unwatched = connection.exchange(&Commands::new(&[b"UNWATCH"]), call);\n'
                "        unwatched.map_err(|failure| failure.error)?;\n"
                "        let mut digits = itoa::Buffer::new();",
            ),
        ),
        ("tests/store.rs::eight_threads_change_one_record_and_every_change_survives",),
    ),
    Mutation(
        "a write that somebody else's prevented counts as done",
        (
            Edit(
                "src/store/transaction.rs",
                "Some(Value::Nil) => Ok(false),",
                "Some(Value::Nil) => Ok(true),",
            ),
        ),
        ("tests/store.rs::eight_threads_change_one_record_and_every_change_survives",),
    ),
    Mutation(
        "a client's store replaces a record whatever it has become",
        (
            Edit(
                "python/flask_session_rs/client_store.py",
                "if expected is not None and now not in (expected, record):",
                "if expected is None and now not in (expected, record):",
            ),
        ),
        ("tests/redis/test_client_failures.py", "tests/redis/test_backend.py"),
    ),
    Mutation(
        "the keys that a request removed come back",
        (
            Edit(
                "src/record.rs",
                "                kept[at] = None;",
                "                kept[at] = kept[at].filter(|_| true);",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestDifferentKeys",),
    ),
    Mutation(
        "clear() keeps what another request wrote meanwhile",
        (
            Edit(
                "src/py/redis_save.rs",
                "(state.origin.clone(), next, state.cleared)",
                "(state.origin.clone(), next, state.cleared && state.over)",
            ),
        ),
        (
            "tests/redis/test_concurrent_changes.py::TestALogout",
            "tests/redis/test_concurrent_changes.py::TestClearedAndFilledAgain",
        ),
    ),
    Mutation(
        "regenerate leaves the old id alive",
        (
            Edit(
                "src/store/scripts.rs",
                "redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])\nredis.call('DEL', KEYS[1])\n",
                "redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])\n",
            ),
        ),
        (
            "tests/redis/test_contract_ids.py::TestRegenerate::test_moves_the_record_and_kills_the_old_id",
        ),
    ),
    Mutation(
        "regenerate leaves the old id of a large record alive",
        (
            Edit(
                "src/store/transaction.rs",
                "            } => (Some(old), new, record, ttl),",
                "            } => (Some(old).filter(|_| old == new), new, record, ttl),",
            ),
        ),
        ("tests/store.rs::redis_over_tcp",),
    ),
    Mutation(
        "a logout that another one preceded deletes the newer cookie",
        (
            Edit(
                "src/py/redis_save.rs",
                "Some(Saved::Kept(..) | Saved::Ended) => {",
                "Some(Saved::Kept(..)) => {",
            ),
            Edit(
                "src/py/redis_save.rs",
                "Some(Saved::Deleted) | None => {",
                "Some(Saved::Deleted | Saved::Ended) | None => {",
            ),
        ),
        ("tests/redis/test_concurrent_changes.py::TestALogout",),
    ),
    Mutation(
        "a request that only reads writes",
        (
            Edit(
                "src/py/redis_save.rs",
                "if new_key.is_none() && unchanged {",
                "if new_key.is_none() && encoded.is_empty() && unchanged {",
            ),
            Edit(
                "src/commit.rs",
                "if change.new_key.is_none() && change.baseline == Some(change.record) {",
                "if change.new_key.is_none() && change.record.is_empty() {",
            ),
        ),
        ("tests/redis/test_commands.py::TestARequest::test_that_reads_sends_one",),
    ),
    Mutation(
        "nested changes go unnoticed",
        (
            Edit(
                "src/py/redis_save.rs",
                "if new_key.is_none() && unchanged {",
                "if new_key.is_none() && (!modified || unchanged) {",
            ),
        ),
        ("tests/redis/test_commands.py::TestANestedChange",),
    ),
)
