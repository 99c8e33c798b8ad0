"""Planted faults: what is in a record, and what becomes of it."""

from ..fault import Edit
from ..fault import Mutation

MUTATIONS = (
    Mutation(
        "of the same key twice in a record, the first one counts",
        (
            Edit(
                "src/record.rs",
                "            self.entries[at].value = entry.value;\n",
                "",
            ),
        ),
        ("tests/record.rs::keys_that_are_equal_in_python",),
    ),
    Mutation(
        "the second try of a change takes back what another request wrote",
        (
            Edit(
                "src/commit.rs",
                "                    wanted = Cow::Owned(merged);\n                }",
                "                    drop(merged);\n                }",
            ),
        ),
        ("tests/commit.rs::changed_sessions",),
    ),
    Mutation(
        "a contended change is tried without an end",
        (Edit("src/commit.rs", "if attempt == TRIES {", "if attempt == TRIES * 1000 {"),),
        ("tests/commit.rs::contended",),
    ),
    Mutation(
        "a session whose last key was removed keeps an empty record",
        (
            Edit(
                "src/commit.rs",
                "let empty = record::is_empty(&wanted);",
                "let empty = record::is_empty(&[]);",
            ),
        ),
        ("tests/commit.rs::emptied_key_by_key",),
    ),
    Mutation(
        "a new session takes an id that is taken",
        (
            Edit(
                "src/commit.rs",
                "                Created::Exists => {}",
                "                Created::Exists => {\n                    return Ok(Outcome::Written {\n"
                "                        key: Cow::Owned(key),\n"
                "                        record: Cow::Borrowed(record),\n"
                "                    });\n                }",
            ),
        ),
        ("tests/commit.rs::new_sessions",),
    ),
    Mutation(
        "regenerate is forgotten where nothing else changed",
        (
            Edit(
                "src/commit.rs",
                "if change.new_key.is_none() && change.baseline == Some(change.record) {",
                "if change.baseline == Some(change.record) {",
            ),
        ),
        ("tests/redis/test_contract_ids.py::TestRegenerate",),
    ),
    Mutation(
        "clear() forgets that the session is permanent",
        (
            Edit(
                "src/py/redis_session.rs",
                "        dict.set_item(key, permanent)?;\n        slf.get().state().cleared",
                "        drop(permanent);\n        slf.get().state().cleared",
            ),
        ),
        ("tests/redis/test_contract.py::TestTruth::test_clear_keeps_permanent",),
    ),
    Mutation(
        "a record of another type is an error",
        (
            Edit(
                "src/store/redis.rs",
                '        Value::ServerError(error) if error.code() == "WRONGTYPE" => Loaded::Foreign,\n',
                "",
            ),
        ),
        ("tests/redis/test_failures_broken.py::test_a_record_of_another_type",),
    ),
    Mutation(
        "a record's expiry is not written",
        (
            Edit(
                "src/store/scripts.rs",
                "  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])\n",
                "  redis.call('SET', KEYS[1], ARGV[2])\n",
            ),
        ),
        ("tests/store.rs::what_stands_in_the_server_is_the_record_and_its_expiry",),
    ),
    Mutation(
        "what changed within a list does not count",
        (
            Edit(
                "src/py/record_decode.rs",
                "Token::Ext(..)) => {\n                self.is_flat = false;\n",
                "Token::Ext(..)) => {\n",
            ),
        ),
        ("tests/redis/test_unchanged.py::test_changes_behind_its_back",),
    ),
    Mutation(
        "what changed within a list of JSON does not count",
        (
            Edit(
                "src/py/record_decode.rs",
                "            Token::Array => {\n                self.is_flat = false;\n",
                "            Token::Array => {\n",
            ),
        ),
        ("tests/redis/test_unchanged.py::test_changes_behind_its_back",),
    ),
    Mutation(
        "a session that does not know of a change has none",
        (
            Edit(
                "src/py/redis_save.rs",
                "                && state.as_loaded == dict_state(data)\n",
                "                && dict_state(data).is_some()\n",
            ),
        ),
        ("tests/redis/test_unchanged.py::test_changes_behind_its_back",),
    ),
    Mutation(
        "the other format is not read",
        (
            Edit(
                "src/record.rs",
                "            b'{' => Some(Self::Json),",
                "            b'{' => None,",
            ),
        ),
        ("tests/redis/test_contract.py::TestTheRecord",),
    ),
)
