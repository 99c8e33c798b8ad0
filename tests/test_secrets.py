"""No key, cookie or content shows where a log, an error page or a debugger would print it."""

import gc
import logging
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import flask
import pytest

import flask_session_rs
from flask_session_rs import _native

from .flavours import NATIVE
from .opened import open_cookie
from .views import session_app
from .visits import visit
from .visits import Visitor

SECRET = "the-secret-key-of-this-test"
OLDER = "an-older-secret-key-of-this-test"
SALT = "the-salt-of-this-test"
CONTENT = "a-session-content-of-this-test"
FORBIDDEN = (SECRET, OLDER, CONTENT, "eyJ")


@pytest.fixture
def app() -> flask.Flask:
    return session_app(NATIVE.interface(), SECRET_KEY=SECRET, SECRET_KEY_FALLBACKS=[OLDER])


@pytest.fixture
def cookie(app: flask.Flask) -> str:
    client = app.test_client()
    with client.session_transaction() as session:
        session["content"] = CONTENT
    value = client.get_cookie("session")
    assert value is not None
    return value.value


def clean(text: str, *more: str) -> bool:
    return not any(word in text for word in (*FORBIDDEN, *more))


def texts(value: object) -> Iterator[str]:
    yield repr(value)
    yield str(value)
    yield f"{value}"
    yield f"{value!r:>10}"
    yield ascii(value)


def test_codec() -> None:
    codec = _native.TokenCodec([OLDER, SECRET], salt=SALT)
    token = codec.dumps({"content": CONTENT})
    codec.loads(token, 60)
    assert all(clean(text, SALT, token) for text in texts(codec))
    assert not hasattr(codec, "__dict__")
    public = {name for name in dir(codec) if not name.startswith("_")}
    assert public == {"dumps", "loads"}


def test_interface(app: flask.Flask, cookie: str) -> None:
    Visitor(app).get("/write")
    visit(app, "/read", f"session={cookie}")
    assert all(clean(text, cookie) for text in texts(app.session_interface))
    assert clean(repr(vars(app.session_interface)), cookie)


@pytest.mark.parametrize("touch", [False, True])
def test_session(app: flask.Flask, cookie: str, touch: bool) -> None:
    session = open_cookie(NATIVE, cookie)
    app_session: Any
    with app.test_request_context("/", headers={"Cookie": f"session={cookie}"}) as context:
        app_session = app.session_interface.open_session(app, context.request)
    for each in (session, app_session):
        if touch:
            each.accessed = True
        assert all(clean(text, cookie) for text in texts(each))
        assert "SecureCookieSession" in repr(each)
        assert all(clean(text, cookie) for text in texts(each.__reduce_ex__)), each
    assert dict(app_session) == {"content": CONTENT}


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        (([5],), {}),
        (([SECRET, None],), {}),
        (([],), {}),
        ((SECRET,), {}),
        (([SECRET],), {"digest": "nothing"}),
        (([SECRET],), {"derivation": "nothing"}),
        (([SECRET],), {"salt": 5}),
        (([SECRET],), {"compress_threshold": -1}),
        (([SECRET],), {"compress_threshold": "x"}),
        (([SECRET],), {"secret": 1}),
        (([SECRET + "\ud800"],), {}),
        ((iter([SECRET]),), {}),
        ((), {}),
    ],
)
def test_errors_of_the_codec(arguments: Any, keywords: Any) -> None:
    try:
        codec = _native.TokenCodec(*arguments, **keywords)
    except Exception as error:
        assert clean("".join(traceback.format_exception_only(error)), SALT)  # noqa: PT017
        assert isinstance(error, (TypeError, ValueError, OverflowError, UnicodeError))  # noqa: PT017
    else:
        assert all(clean(text) for text in texts(codec))


@pytest.mark.parametrize(
    ("token", "age", "now"),
    [
        (5, 60, None),
        ("eyJ" * 10, "x", None),
        ("eyJ\ud800", 60, None),
        ("eyJ.eyJ.eyJ", 2**100, None),
        ("eyJ.eyJ.eyJ", 60, -(2**100)),
        (bytearray(b"eyJ"), 60, None),
    ],
)
def test_errors_of_loading(token: Any, age: Any, now: Any) -> None:
    codec = _native.TokenCodec([SECRET], salt=SALT)
    try:
        assert codec.loads(token, age, now) is None
    except Exception as error:
        assert clean(str(error), SALT)  # noqa: PT017


class Opaque:
    def __repr__(self) -> str:
        return CONTENT


@pytest.mark.parametrize(
    "value", [Opaque(), {CONTENT}, {1: CONTENT, CONTENT: 1}, {(CONTENT,): 1}, [Opaque()]]
)
def test_errors_of_saving(app: flask.Flask, value: Any) -> None:
    """Python's own error names the type at most."""
    with app.test_request_context("/") as context:
        session = context.session
        session["content"] = CONTENT
        session["wrong"] = value
        with pytest.raises(TypeError) as error:
            app.session_interface.save_session(app, session, flask.Response())
        assert clean(str(error.value))


@pytest.mark.parametrize(
    "spoil",
    [lambda c: c[:-1], lambda c: c + "x", lambda c: "x" + c, lambda c: "." + c, lambda c: c],
)
def test_logs_and_warnings(
    app: flask.Flask, cookie: str, spoil: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for path in ("/untouched", "/read", "/write", "/wrong", "/fail"):
            app.test_client(use_cookies=False).get(
                path, headers={"Cookie": f"session={spoil(cookie)}"}
            )
    assert clean(caplog.text, cookie)
    assert [str(w.message) for w in caught] == []


def test_size_warning_names_sizes_only(app: flask.Flask, cookie: str) -> None:
    answer = visit(app, "/big", f"session={cookie}")
    assert len(answer.warned) == 1
    assert clean(str(answer.warned), cookie)


def test_nothing_can_be_found_by_walking_objects(app: flask.Flask, cookie: str) -> None:
    """What hangs on the interface tells no derived key and no content after the request."""
    visit(app, "/read", f"session={cookie}")
    seen: set[int] = set()
    pending: list[Any] = [app.session_interface]
    while pending:
        for each in gc.get_referents(pending.pop()):
            if id(each) in seen or isinstance(each, type) or callable(each):
                continue
            seen.add(id(each))
            assert CONTENT not in (each if isinstance(each, str) else "")
            if isinstance(each, (dict, list, tuple)) and len(seen) < 10_000:
                pending.append(each)


def test_tracebacks_of_the_shim_hold_no_token() -> None:
    assert clean(repr(flask_session_rs) + repr(vars(flask_session_rs).keys()))
