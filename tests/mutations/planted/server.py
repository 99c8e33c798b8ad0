"""Planted faults: the server, and how it is spoken to."""

from ..fault import Edit
from ..fault import Mutation

MUTATIONS = (
    Mutation(
        "the database of the URL is passed over",
        (
            Edit(
                "src/store/connection.rs",
                "if endpoint.database != 0 {",
                "if endpoint.database == u32::MAX {",
            ),
        ),
        ("tests/redis/test_commands.py::TestTheNetwork::test_the_database_is_the_urls",),
    ),
    Mutation(
        "a server that forgot a script is an error",
        (
            Edit(
                "src/store/redis.rs",
                '        Value::ServerError(error) if error.code() == "NOSCRIPT" => None,\n',
                "",
            ),
        ),
        (
            "tests/redis/test_commands.py::TestTheNetwork::test_scripts_are_sent_again_where_the_server_forgot_them",
        ),
    ),
    Mutation(
        "a connection to a server that became a replica is kept",
        (
            Edit(
                "src/store/refusal.rs",
                'matches!(error.code(), "READONLY" | "MASTERDOWN" | "NOAUTH")',
                'matches!(error.code(), "MASTERDOWN")',
            ),
        ),
        ("tests/store_faults.rs::an_error_is_told_at_once_and_the_connection_goes_on",),
    ),
    Mutation(
        "a watch stays on a connection that is kept",
        (
            Edit(
                "src/store/transaction.rs",
                '                if let Ok(replies) = connection.exchange(&Commands::new(&[b"UNWATCH"]), call)\n'
                "                    && replies == [Value::Okay]\n"
                "                {\n                    store.put(connection);\n                }\n",
                "                store.put(connection);\n",
            ),
        ),
        ("tests/store_faults.rs::no_connection_is_kept_with_a_watch_on_it",),
    ),
    Mutation(
        "a signal does not end a wait",
        (
            Edit(
                "src/py/waiting.rs",
                "        handled.unwrap_or(Ok(()))\n",
                "        drop(handled);\n        Ok(())\n",
            ),
            Edit(
                "src/py/backend.rs",
                "if let Some(raised) = interruption.take() {",
                "if let Some(raised) = interruption.take()\n            && outcome.is_err()\n        {",
            ),
        ),
        ("tests/redis/test_signals.py::test_while_the_server_is_silent",),
    ),
    Mutation(
        "the event loop stands still while one waits",
        (
            Edit(
                "src/py/waiting.rs",
                "            return Ok(Some(Self::Gevent));",
                "            return Ok(None);",
            ),
        ),
        ("tests/redis/test_waiting.py::test_event_loops_go_on",),
    ),
    Mutation(
        "a client's store begins commands after the deadline",
        (
            Edit(
                "python/flask_session_rs/client_store.py",
                "        if time.monotonic() >= deadline:",
                "        if time.monotonic() >= deadline + 3600:",
            ),
        ),
        ("tests/redis/test_client_failures.py::test_no_command_is_begun_after_the_deadline",),
    ),
)
