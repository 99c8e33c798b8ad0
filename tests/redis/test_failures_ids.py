"""Ids that are none never reach Redis; ids that are unknown are never adopted."""

from __future__ import annotations

import base64
import random
import re
import typing as t

import itsdangerous
import pytest

from ..visits import visit
from ..visits import Visitor
from .failing import app_over
from .failing import COOKIE
from .failing import known_visitor
from .failing import logged
from .failing import PREFIX
from .failing import visit_as
from .server import RedisServer

NEW = '{"_permanent": true}'
GOOD = "a" * 43
ALPHABET = re.compile(r"[A-Za-z0-9_-]{16,256}")

BAD = {
    "empty": "",
    "too short": "a" * 15,
    "too long": "a" * 257,
    "3,000 characters": "a" * 3000,
    "a dot": "a" * 20 + "." + "a" * 22,
    "a colon": "a" * 20 + ":" + "a" * 22,
    "a slash": "../" * 14 + "a",
    "an asterisk": "*" * 43,
    "a question mark": "?" * 43,
    "brackets": "[a]" * 14 + "a",
    "braces": "{session}" * 4,
    "percent": "%61" * 14,
    "plus": "+" * 43,
    "equals": "a" * 42 + "=",
    "a space": "a" * 20 + " " + "a" * 22,
    "a tab": "a" * 20 + "\t" + "a" * 22,
    "a comma": "a" * 20 + "," + "a" * 22,
    "latin": "\xe4" * 43,
    "a digit of another script": "a" * 41 + "\xd9\xa3",
    "a letter of another script": "a" * 41 + "\xd0\xb0",
    "an escaped line": '"' + "a" * 20 + "\\015\\012" + "a" * 20 + '"',
    "an escaped zero": '"' + "a" * 20 + "\\000" + "a" * 20 + '"',
    "a command": '"' + "a" * 16 + '\\015\\012FLUSHALL\\015\\012"',
    "signed": "a" * 43 + "." + "b" * 27,
}


@pytest.fixture(params=[True, False], ids=["refreshed", "not refreshed"])
def config(request: pytest.FixtureRequest) -> dict[str, t.Any]:
    return {"SESSION_REFRESH_EACH_REQUEST": request.param}


@pytest.mark.parametrize("name", BAD)
def test_an_id_of_the_wrong_shape_never_reaches_redis(
    server: RedisServer, name: str, config: dict[str, t.Any]
) -> None:
    """It begins a new session."""
    app = app_over(server.url(), **config)
    with server.commands() as monitor, logged() as log:
        for path in ("/untouched", "/read", "/logout", "/emptied"):
            answer = visit_as(app, BAD[name], path)
            assert answer.status == "200 OK", answer
        assert visit_as(app, BAD[name], "/read").body == NEW
        assert monitor.take() == [], "a command was sent"
        answer = visit_as(app, BAD[name], "/write")
        assert answer.status == "200 OK", answer
        assert monitor.names() == ["SET"]
    assert not log.lines
    (key,) = server.records()
    assert ALPHABET.fullmatch(key.removeprefix(PREFIX))
    assert len(key) == len(PREFIX) + 43
    assert key not in (PREFIX + GOOD, PREFIX + BAD[name])


def test_ids_of_random_bytes_never_reach_redis(server: RedisServer) -> None:
    app = app_over(server.url())
    seeded = random.Random(3)
    sent = 0
    with server.commands() as monitor:
        for _ in range(300):
            text = seeded.randbytes(seeded.randrange(1, 60)).decode("latin-1")
            sid = re.sub(r"[;\r\n\0]", "", text)
            answer = visit_as(app, sid, "/read")
            assert (answer.status, answer.body) == ("200 OK", NEW)
            sent += 1
        assert monitor.take() == []
    assert sent == 300


def test_ids_of_every_shape_that_is_one_are_asked_for(server: RedisServer) -> None:
    """Those of 16 to 256 characters: earlier versions and settings of Flask-Session drew others than 43."""
    app = app_over(server.url())
    for sid in ("a" * 16, "6f1c3c5e-8a3b-4f1e-9d2e-0123456789ab", GOOD, "-_" * 128):
        with server.commands() as monitor:
            assert visit_as(app, sid, "/read").body == NEW
            assert monitor.names() == ["GETEX"]
        server.client.set(PREFIX + sid, b"\x81\xa1n\x07")
        assert visit_as(app, sid, "/read").body == '{"n": 7}'


# Fixation: an id that an attacker chose, and makes a victim's browser send.


@pytest.mark.parametrize("path", ["/write", "/login"])
def test_an_unknown_id_is_never_adopted(
    server: RedisServer, path: str, config: dict[str, t.Any]
) -> None:
    app = app_over(server.url(), **config)
    victim = Visitor(app)
    victim.jar[COOKIE] = GOOD
    assert victim.get(path).status == "200 OK"
    assert victim.jar[COOKIE] != GOOD
    assert not server.client.exists(PREFIX + GOOD)
    assert list(server.records()) == [PREFIX + victim.jar[COOKIE]]
    attacker = Visitor(app)
    attacker.jar[COOKIE] = GOOD
    assert attacker.get("/read").body == NEW


@pytest.mark.parametrize("path", ["/read", "/untouched", "/logout", "/emptied", "/regenerate"])
def test_an_unknown_id_is_not_written_under(server: RedisServer, path: str) -> None:
    app = app_over(server.url())
    for _ in range(3):
        visit_as(app, GOOD, path)
    assert not server.client.exists(PREFIX + GOOD)


def test_an_id_that_has_ended_is_not_adopted_either(server: RedisServer) -> None:
    """After a log-out, and after a regenerate: the old one stays dead."""
    app = app_over(server.url())
    for path in ("/logout", "/regenerate"):
        visitor = known_visitor(app)
        old = visitor.jar[COOKIE]
        assert visitor.get(path).status == "200 OK"
        late = Visitor(app)
        late.jar[COOKIE] = old
        assert late.get("/write").status == "200 OK"
        assert late.jar[COOKIE] != old
        assert not server.client.exists(PREFIX + old)


def test_many_ids_in_one_header(server: RedisServer) -> None:
    """The first cookie of the name counts; another one is not tried in its place."""
    app = app_over(server.url())
    server.client.set(PREFIX + "b" * 43, b"\x81\xa1n\x07")
    with server.commands() as monitor:
        answer = visit(app, "/read", f"{COOKIE}=short; {COOKIE}={'b' * 43}")
        assert (answer.body, monitor.take()) == (NEW, [])


# Signed ids.


def sign(sid: str, secret: str = "a key", salt: str = "flask-session") -> str:
    signed: t.Any = itsdangerous.Signer(secret, salt=salt, key_derivation="hmac").sign(sid)
    return t.cast(str, signed.decode())


def test_an_id_that_is_not_signed_well_never_reaches_redis(
    server: RedisServer, config: dict[str, t.Any]
) -> None:
    app = app_over(server.url(), options={"use_signer": True}, **config)
    server.client.set(PREFIX + GOOD, b"\x81\xa1n\x07")
    signed = sign(GOOD)
    assert visit_as(app, signed, "/read").body == '{"n": 7}'
    sid, _, signature = signed.rpartition(".")
    bad = [
        GOOD,
        sid + ".",
        "." + signature,
        f"{sid}.{signature}=",
        f"{sid}.{signature[:-1]}",
        f"{sid}.{signature}A",
        f"{sid}..{signature}",
        f"{'b' * 43}.{signature}",
        f"{sid}.{base64.urlsafe_b64encode(bytes(20)).decode().rstrip('=')}",
        sign(GOOD, "another key"),
        sign(GOOD, salt="cookie-session"),
        sign(sign(GOOD)),
        sign("short"),
        sign("*" * 43),
        sign("a" * 3000),
    ]
    bad += [
        signed[:place] + chr(ord(signed[place]) ^ 1) + signed[place + 1 :] for place in range(43)
    ]
    with server.commands() as monitor, logged() as log:
        for cookie in bad:
            for path in ("/read", "/untouched"):
                answer = visit_as(app, cookie, path)
                assert answer.status == "200 OK", (cookie, answer)
                assert answer.body in (NEW, "untouched"), (cookie, answer)
        assert monitor.take() == []
    assert not log.lines
    assert server.client.get(PREFIX + GOOD) == b"\x81\xa1n\x07"


def test_a_session_that_knows_its_id_well_and_its_signature_not(server: RedisServer) -> None:
    """A signature of an id that is unknown is no reason to adopt it."""
    app = app_over(server.url(), options={"use_signer": True})
    victim = Visitor(app)
    victim.jar[COOKIE] = sign(GOOD)
    assert victim.get("/write").status == "200 OK"
    assert not victim.jar[COOKIE].startswith(GOOD)
    assert not server.client.exists(PREFIX + GOOD)
