"""Planted faults: outages, deadlines, secrets."""

from ..fault import Edit
from ..fault import Mutation

MUTATIONS = (
    Mutation(
        "Set-Cookie is sent in an outage",
        (
            Edit(
                "src/py/redis_save.rs",
                "Err(error) if is_of_store(py, &error) => return Ok(()),",
                "Err(error) if is_of_store(py, &error) => return self.set_cookie(&sid, Permanent::Yes, None),",
            ),
        ),
        ("tests/redis/test_failures_outage.py::test_a_view_that_ignores_its_session_goes_on",),
    ),
    Mutation(
        "a session that could not be loaded is saved",
        (
            Edit(
                "src/py/redis_session.rs",
                "(state.over, state.lost) = (true, true);",
                "(state.over, state.lost) = (false, true);",
            ),
        ),
        ("tests/redis/test_failures_outage.py",),
    ),
    Mutation(
        "a save that failed is tried again by the error page",
        (
            Edit(
                "src/py/redis.rs",
                "            redis.get().state().over = true;",
                "            redis.get().state().over = false;",
            ),
        ),
        (
            "tests/redis/test_failures_outage.py::test_a_save_that_fails_is_a_500_and_is_not_tried_again",
        ),
    ),
    Mutation(
        "each wait has the whole time once more",
        (
            Edit(
                "src/store/stream.rs",
                "let waited = call.waiter.wait(fd, interest, call.deadline)?;",
                "let anew = crate::store::Deadline::after(std::time::Duration::from_secs(1));\n"
                "    let waited = call.waiter.wait(fd, interest, anew)?;",
            ),
        ),
        ("tests/store_faults.rs::silence_and_trickles_end_with_the_deadline",),
    ),
    Mutation(
        "a server that sends without a pause is read from without an end",
        (
            Edit(
                "src/store/connection.rs",
                "if !first && call.deadline.remaining().is_none() {",
                "if first && call.deadline.remaining().is_none() {",
            ),
        ),
        ("tests/store_faults.rs::lengths_are_not_believed",),
    ),
    Mutation(
        "a command is sent a second time after a time-out",
        (
            Edit(
                "src/store/redis.rs",
                "Err(failure) if failure.hung_up && *repeat == Repeat::Unused => {",
                "Err(failure) if *repeat == Repeat::Unused => {",
            ),
        ),
        (
            "tests/store_faults.rs::a_command_is_repeated_once_and_no_more",
            "tests/redis/test_failures_replies.py",
        ),
    ),
    Mutation(
        "the name in a certificate is not verified",
        (
            Edit(
                "src/store/tls.rs",
                "Verification::Full => chain,",
                "Verification::Full if settings.ca_file.is_none() && settings.key.is_some() => chain,",
            ),
        ),
        ("tests/redis/test_failures_tls.py::test_another_hosts_certificate",),
    ),
    Mutation(
        "no certificate is verified at all",
        (
            Edit(
                "src/store/tls.rs",
                "if settings.verification == Verification::Nothing {",
                "if settings.verification != Verification::AnyHost {",
            ),
        ),
        ("tests/redis/test_failures_tls.py::test_an_unknown_authority",),
    ),
    Mutation(
        "an error shows the URL with its password",
        (
            Edit(
                "src/store/url.rs",
                'error => wrong(format!("the URL cannot be read: {error}")),',
                'error => wrong(format!("the URL {text} cannot be read: {error}")),',
            ),
        ),
        ("tests/store_url.rs::a_password_is_not_shown_however_wrong_the_url",),
    ),
    Mutation(
        "a traceback's variables show the URL with its password",
        (
            Edit(
                "python/flask_session_rs/redis.py",
                "            del client\n            raise",
                "            raise",
            ),
        ),
        ("tests/redis/test_failures_secrets.py::test_misconfiguration_shows_nothing",),
    ),
    Mutation(
        "a server's error is shown in its own words",
        (
            Edit(
                "src/store/refusal.rs",
                'if is_code(code) { code } else { "ERR" },',
                "if is_code(code) { code } else { words },",
            ),
        ),
        (
            "src/store/refusal.rs::tests::an_error_is_told_by_its_code_and_never_in_the_servers_words",
        ),
    ),
    Mutation(
        "what is put into a session that was not loaded is dropped without a word",
        (
            Edit(
                "src/py/redis_session.rs",
                "(state.over, state.lost) = (true, true);",
                "(state.over, state.lost) = (true, false);",
            ),
        ),
        (
            "tests/redis/test_session_classes.py::test_what_is_put_into_a_session_that_was_not_loaded",
        ),
    ),
    Mutation(
        "a hook that looks into an untouched session fails its view in an outage",
        (
            Edit(
                "src/py/redis.rs",
                "Err(error) if is_of_store(slf.py(), &error) => return Ok(()),",
                "Err(error) => return Err(error),",
            ),
        ),
        ("tests/redis/test_session_classes.py::test_hooks_of_untouched_sessions_in_an_outage",),
    ),
)
