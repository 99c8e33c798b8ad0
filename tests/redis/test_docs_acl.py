"""The rights that the documentation asks for: enough for every kind of request, and none of them for nothing."""

from __future__ import annotations

import re
import typing as t

import msgspec
import pytest
from flask import session

from flask_session_rs import RedisSession

from .. import documents
from ..visits import Visitor
from .apps import COOKIE
from .apps import PREFIX
from .apps import stored_app
from .failing import error_of
from .flavours import FLASK_SESSION
from .flavours import NATIVE
from .server import RedisServer

PASSWORD = "s3cret"
ADMIN = "adm1n"
#: Bytes from which on a record is changed in a transaction.
LARGE = 40_000


def documented_line() -> str:
    """The line of an ACL, as it stands on the page."""
    page = documents.PAGES["operations.md"]
    (line,) = (
        sample.text.strip()
        for sample in documents.samples(page, "")
        if sample.text.startswith("user ")
    )
    assert f">{PASSWORD} " in line
    return line.removeprefix("user ")


COMMANDS = re.findall(r" \+(\w+)", documented_line())


@pytest.fixture(scope="module")
def guarded() -> t.Iterator[RedisServer]:
    """A server with the user of the page, and one for each of its commands that lacks it."""
    line = documented_line()
    users = [line, line.replace("sessions ", "selecting ", 1) + " +select"]
    for command in COMMANDS:
        users.append(re.sub(rf" \+{command}\b", "", line).replace("sessions ", f"no-{command} ", 1))
    with RedisServer(password=ADMIN, users=users) as server:
        yield server


def use(server: RedisServer, url: str, refresh: bool = True) -> list[str]:
    """Every kind of request, with small and large records; those that failed."""

    def meddle() -> str:
        """Changes a record that another one changes, too, before this one is saved."""
        session["mine"] = 1
        key = PREFIX + t.cast(RedisSession, session).sid
        record: t.Any = server.client.get(key)
        server.client.set(key, msgspec.msgpack.encode(msgspec.msgpack.decode(record) | {"its": 1}))
        return ""

    server.client.script_flush()
    app = stored_app(NATIVE, url, {"timeout": 2}, SESSION_REFRESH_EACH_REQUEST=refresh)
    app.add_url_rule("/meddle", view_func=meddle)
    failed = []
    for size in (10, LARGE):
        for ways in (
            ("/login/ann", "/write"),
            ("/regenerate", "/write"),
            ("/drop/count",),
            ("/meddle", "/drop/mine", "/drop/its"),
            ("/logout",),
        ):
            visitor = Visitor(app)
            begin = visitor.get(f"/fill/{size}/a")
            assert begin.status.startswith("200") or not visitor.jar
            if not visitor.jar:
                failed.append(f"{size} /fill")
                visitor.jar[COOKIE] = "a" * 43
            for path in ("/append/1", "/read", "/untouched", *ways, "/read"):
                if path == "/meddle" and failed:
                    continue
                if not visitor.get(path).status.startswith("200"):
                    failed.append(f"{size} {path}")
    return failed


def url(server: RedisServer, user: str, rest: str = "/0") -> str:
    return f"redis://{user}:{PASSWORD}@127.0.0.1:{server.port}{rest}"


def refusals(server: RedisServer, user: str) -> set[str]:
    """The commands that the server refused to this user, since it was last asked."""
    entries = server.execute("ACL", "LOG")
    server.execute("ACL", "LOG", "RESET")
    return {
        entry["object"].lower()
        for entry in map(as_dict, entries)
        if entry["username"] == user and entry["reason"] == "command"
    }


def as_dict(entry: t.Any) -> dict[str, str]:
    if isinstance(entry, dict):
        return {text(key): text(found) for key, found in entry.items()}
    return {text(key): text(found) for key, found in zip(entry[::2], entry[1::2], strict=True)}


def text(value: t.Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_the_error_for_a_missing_one_names_the_same() -> None:
    """The advice of `NOPERM`, as it stands in the code: every right of the page's table, `SELECT` included."""
    source = (documents.ROOT / "src/store/refusal.rs").read_text(encoding="utf-8")
    (advice,) = re.findall(r"const NOPERM: &str = \"(.*?)\";", source, re.DOTALL)
    rows = documents.table(documents.PAGES["operations.md"], "right")
    rights = [right for row in rows for right in re.findall(r"\+(\w+)", row["right"])]
    assert sorted(rights) == sorted([*COMMANDS, "select"])
    assert sorted(re.findall(r"\b[A-Z]{3,}\b", advice.replace("ACL", ""))) == sorted(
        right.upper() for right in rights
    )


@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("rest", ["/0", "/0?protocol=3"])
def test_they_are_enough(guarded: RedisServer, refresh: bool, rest: str) -> None:
    assert use(guarded, url(guarded, "sessions", rest), refresh) == []
    assert refusals(guarded, "sessions") == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_none_of_them_is_for_nothing(guarded: RedisServer, command: str) -> None:
    """The server's own log says what it refused."""
    user = f"no-{command}"
    failed = use(guarded, url(guarded, user))
    assert command in refusals(guarded, user)
    # A watch that cannot be taken off ends with its connection.
    assert bool(failed) == (command != "unwatch"), failed
    if command in ("watch", "multi", "exec"):
        assert all(failure.startswith(str(LARGE)) for failure in failed), failed


def test_without_getex_reading_goes_on_where_nothing_slides(guarded: RedisServer) -> None:
    assert not any("read" in failure for failure in use(guarded, url(guarded, "no-getex"), False))


def test_another_database_takes_one_more(guarded: RedisServer) -> None:
    assert use(guarded, url(guarded, "sessions", "/1"))
    assert refusals(guarded, "sessions") == {"select"}
    refused = Visitor(stored_app(NATIVE, url(guarded, "sessions", "/1")))
    refused.jar[COOKIE] = "a" * 43
    assert "NOPERM" in (reason := error_of(refused).reason)
    assert "on the keys of sessions, and SELECT for a database other than 0" in reason
    visitor = Visitor(stored_app(NATIVE, url(guarded, "selecting", "/1")))
    assert visitor.get("/write").status == "200 OK"
    assert visitor.get("/read").status == "200 OK"


def test_other_keys_are_out_of_reach(guarded: RedisServer) -> None:
    app = stored_app(NATIVE, url(guarded, "sessions"), {"key_prefix": "other:"})
    assert not Visitor(app).get("/write").status.startswith("200")


def test_flask_session_needs_no_more(guarded: RedisServer) -> None:
    """Of its own client, what is refused is no harm: CLIENT SETINFO."""
    refusals(guarded, "sessions")
    visitor = Visitor(stored_app(FLASK_SESSION, url(guarded, "sessions")))
    for path in ("/write", "/read", "/regenerate", "/append/1", "/logout"):
        assert visitor.get(path).status == "200 OK"
    assert {command.partition("|")[0] for command in refusals(guarded, "sessions")} <= {"client"}
