"""One body for atheris, hypothesis and the replay: whatever we accept, Flask or msgspec accept with the same value."""

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Any
from unittest import mock

import flask
from itsdangerous.encoding import base64_decode

from .. import codec
from ..describe import describe
from ..flavours import FLASK
from ..flavours import NATIVE
from ..record_pairs import PAIRS
from ..record_pairs import show
from ..visits import new_app

LONGEST = 4096
"""Bytes of an input; more are cut off."""


def prepare() -> ExitStack:
    """An application context and a clock that stands still, until the stack is closed."""
    stack = ExitStack()
    # As in the tests: the interfaces read the clock through `time.time`.
    stack.enter_context(mock.patch("time.time", return_value=float(codec.NOW)))
    stack.enter_context(codec.app_context())
    return stack


@cache
def oracle() -> codec.Oracle:
    return codec.Oracle()


@cache
def interface(native: bool) -> tuple[flask.Flask, Any]:
    app = new_app(
        (NATIVE if native else FLASK).interface(), PERMANENT_SESSION_LIFETIME=codec.MAX_AGE
    )
    return app, app.session_interface


def opened(native: bool, header: str) -> Any:
    """The session of a header; None where Flask answers 500 for a signed cookie that does not decode."""
    app, opener = interface(native)
    request = app.request_class({"HTTP_COOKIE": header})
    try:
        return dict(opener.open_session(app, request))
    except Exception:
        if native:
            raise
        return None


def token(data: bytes) -> None:
    """Any bytes as a token."""
    ours = codec.CODEC.loads(data, codec.MAX_AGE, codec.NOW)
    if ours is not None:
        theirs = accepted(data)
        assert theirs is not None, data
        assert describe(ours) == describe(theirs[1]), data


def accepted(data: bytes | str) -> Any:
    try:
        return oracle().accepts(data)
    # A signed payload that is JSON, but none of Flask's: what a tag's reader raises is its own.
    except Exception:
        return None


def signed_json(data: bytes) -> None:
    """Any bytes as the JSON text of a signed token; what is read is written alike by both, and read by the other."""
    text = oracle().sign_json(data)
    ours = codec.CODEC.loads(text, codec.MAX_AGE, codec.NOW)
    if ours is None:
        return
    theirs = accepted(text)
    assert theirs is not None, data
    assert describe(ours) == describe(theirs[1]), data
    written_alike(theirs[1])


def written_alike(session: dict[str, Any]) -> None:
    try:
        theirs = oracle().dumps(session)
    except Exception as error:
        try:
            codec.CODEC.dumps(session, codec.NOW)
        except type(error):
            return
        raise
    ours = codec.CODEC.dumps(session, codec.NOW)
    if not theirs.startswith("."):
        assert ours == theirs, session
    else:
        # One of two implementations of zlib; the text is the same.
        assert codec.json_of(ours) == inflated(theirs), session
    # Not with the object itself: a float may be read back as a neighbour of none, a tuple as one.
    backs = [accepted(written) for written in (ours, theirs)]
    reads = [codec.CODEC.loads(written, codec.MAX_AGE, codec.NOW) for written in (ours, theirs)]
    back = None if backs[1] is None else backs[1][1]
    for read in (*reads, None if backs[0] is None else backs[0][1]):
        assert describe(read) == describe(back), session


def inflated(text: str) -> bytes:
    import zlib

    return zlib.decompress(base64_decode(text.rsplit(".", 2)[0][1:]))


def header(data: bytes) -> None:
    """Any bytes around a good cookie. The value that is found is the one that werkzeug finds."""
    good = oracle().dumps({"a": 1})
    any_text = data.decode("latin-1")
    before, _, after = any_text.partition("\n\n")
    for text in (before + good + after, any_text, f"{any_text}; session={good}"):
        ours = opened(True, text)
        if ours:
            theirs = opened(False, text)
            assert theirs is not None, text
            assert describe(ours) == describe(theirs), text
        elif flask.Request({"HTTP_COOKIE": text}).cookies.get("session") == good:
            raise AssertionError(f"not found: {text!r}")


def record(format: str, data: bytes) -> None:
    """Any bytes as a record: the same objects, and the same bytes again."""
    pair = PAIRS[format]
    ours, theirs = pair.codec.loads(data), pair.oracle.loads(data)
    if ours is None:
        return
    assert show(ours) == show(theirs), data
    for other in PAIRS.values():
        try:
            written = other.oracle.dumps(theirs)
        except Exception as error:
            try:
                other.codec.dumps(theirs)
            except type(error):
                continue
            raise
        assert other.codec.dumps(theirs) == written, data
        assert show(other.codec.loads(written)) == show(other.oracle.loads(written)), data


KINDS: tuple[Callable[[bytes], None], ...] = (
    token,
    signed_json,
    header,
    lambda data: record("msgpack", data),
    lambda data: record("json", data),
)


def check(data: bytes) -> None:
    """The first byte chooses what the rest is."""
    if data:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            KINDS[data[0] % len(KINDS)](data[1 : LONGEST + 1])
