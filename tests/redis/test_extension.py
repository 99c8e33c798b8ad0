"""`Session(app)` with `SESSION_TYPE="redis"`: every key of the configuration, and what is wrong said at once."""

from __future__ import annotations

import traceback
import typing as t

import flask
import pytest
import redis as redis_py

import flask_session_rs
from flask_session_rs import RedisSessionInterface
from flask_session_rs import Session
from flask_session_rs import SessionStoreError

from ..visits import visit
from .apps import set_cookies
from .server import free_port
from .server import RedisServer


def configured(**config: t.Any) -> flask.Flask:
    app = flask.Flask("configured")
    app.config.update({"SESSION_TYPE": "redis", **config})
    Session(app)
    app.add_url_rule("/", view_func=lambda: flask.session.update(a=1) or "done")
    return app


def test_a_url_is_enough(server: RedisServer) -> None:
    app = configured(SESSION_REDIS=server.url())
    assert type(app.session_interface) is RedisSessionInterface
    assert visit(app).status == "200 OK"
    assert next(iter(server.records())).startswith("session:")


def test_so_is_a_client(server: RedisServer) -> None:
    app = configured(SESSION_REDIS=redis_py.Redis(port=server.port))
    assert visit(app).status == "200 OK"
    assert server.records()


def test_it_can_be_set_up_later(server: RedisServer) -> None:
    extension = Session()
    apps = [flask.Flask("first"), flask.Flask("second")]
    for number, app in enumerate(apps):
        app.config.update(
            SESSION_TYPE="redis", SESSION_REDIS=server.url(), SESSION_KEY_PREFIX=f"{number}:"
        )
        extension.init_app(app)
    assert apps[0].session_interface is not apps[1].session_interface
    for app in apps:
        with app.test_client() as client, client.session_transaction() as opened:
            opened["a"] = 1
    assert sorted(key[:2] for key in server.records()) == ["0:", "1:"]


def test_every_key_reaches_the_interface(server: RedisServer) -> None:
    app = configured(
        SECRET_KEY="a key",
        SESSION_REDIS=server.url(),
        SESSION_KEY_PREFIX="mine:",
        SESSION_USE_SIGNER=True,
        SESSION_PERMANENT=False,
        SESSION_ID_LENGTH=48,
        SESSION_SERIALIZATION_FORMAT="json",
        SESSION_STORE_TIMEOUT=0.5,
        SESSION_POOL_SIZE=3,
    )
    (cookie,) = set_cookies(visit(app))
    sid, _, signature = cookie.partition(";")[0].removeprefix("session=").rpartition(".")
    assert len(sid) == 64
    assert signature
    assert "Expires" not in cookie
    assert server.records() == {f"mine:{sid}": b'{"a":1}'}


def test_the_time_out_is_in_seconds() -> None:
    app = configured(
        SESSION_REDIS=f"redis://127.0.0.1:{free_port()}", SESSION_STORE_TIMEOUT=0.2, TESTING=True
    )
    with pytest.raises(flask_session_rs.SessionStoreUnavailable):
        app.test_client().get("/")


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({}, "redis://"),
        ({"SESSION_REDIS": None}, "redis://"),
        ({"SESSION_REDIS": 5}, "redis://"),
        ({"SESSION_REDIS": "localhost:6379"}, "redis://"),
        ({"SESSION_REDIS": "http://localhost"}, "redis://"),
    ],
    ids=["missing", "None", "number", "no scheme", "another scheme"],
)
def test_no_server_is_never_a_silent_localhost(config: dict[str, t.Any], names: str) -> None:
    with pytest.raises(SessionStoreError, match=names):
        configured(**config)


LENGTH = "a whole number of bytes from 16 to 192"
SECONDS = "a number of seconds above 0"
CONNECTIONS = "a whole number of connections, 0 or more"
FORMAT = '"msgpack" or "json"'


@pytest.mark.parametrize(
    ("key", "value", "takes"),
    [
        ("SESSION_KEY_PREFIX", "s3cret\udc80", "a str of valid Unicode"),
        ("SESSION_ID_LENGTH", 15, LENGTH),
        ("SESSION_ID_LENGTH", -1, LENGTH),
        ("SESSION_ID_LENGTH", 10**6, LENGTH),
        ("SESSION_ID_LENGTH", 10**30, LENGTH),
        ("SESSION_SERIALIZATION_FORMAT", "pickle", FORMAT),
        ("SESSION_STORE_TIMEOUT", 0, SECONDS),
        ("SESSION_STORE_TIMEOUT", -1, SECONDS),
        ("SESSION_STORE_TIMEOUT", float("nan"), SECONDS),
        ("SESSION_STORE_TIMEOUT", 10**400, SECONDS),
        ("SESSION_POOL_SIZE", -1, CONNECTIONS),
        ("SESSION_POOL_SIZE", -(10**30), CONNECTIONS),
    ],
)
def test_a_value_out_of_range_is_said_at_once(key: str, value: t.Any, takes: str) -> None:
    """By the name of its setting."""
    with pytest.raises(ValueError, match=key) as caught:
        configured(SESSION_REDIS="redis://localhost", **{key: value})
    assert type(caught.value) is ValueError
    assert str(caught.value) == f"{key} is {takes}"


@pytest.mark.parametrize(
    ("key", "value", "takes"),
    [
        ("SESSION_KEY_PREFIX", 5, "a str of valid Unicode"),
        ("SESSION_KEY_PREFIX", b"s3cret", "a str of valid Unicode"),
        ("SESSION_USE_SIGNER", "s3cret", "True or False"),
        ("SESSION_USE_SIGNER", None, "True or False"),
        ("SESSION_PERMANENT", 1, "True or False"),
        ("SESSION_ID_LENGTH", "s3cret", LENGTH),
        ("SESSION_ID_LENGTH", 32.0, LENGTH),
        ("SESSION_SERIALIZATION_FORMAT", None, FORMAT),
        ("SESSION_STORE_TIMEOUT", None, SECONDS),
        ("SESSION_STORE_TIMEOUT", "s3cret", SECONDS),
        ("SESSION_POOL_SIZE", [], CONNECTIONS),
    ],
)
def test_a_value_of_the_wrong_type_is_said_at_once(key: str, value: t.Any, takes: str) -> None:
    """By the names of its setting and of its type, and not shown; nor is the URL, to whoever reads the frames."""
    with pytest.raises(TypeError, match=key) as caught:
        configured(SESSION_REDIS="redis://:p4ssword@localhost", **{key: value})
    kind = type(value).__name__
    assert str(caught.value) == f"{key} is {takes}, not a value of type {kind}"
    frames = traceback.walk_tb(caught.value.__traceback__)
    ours = [frame for frame, _ in frames if "flask_session_rs" in frame.f_globals["__name__"]]
    assert ours
    assert "p4ssword" not in repr([frame.f_locals for frame in ours])


def test_each_setting_is_judged_by_itself() -> None:
    """The first that is wrong is named, whatever the others are."""
    with pytest.raises(TypeError, match=r"^SESSION_POOL_SIZE is "):
        configured(SESSION_REDIS=5, SESSION_ID_LENGTH=16, SESSION_POOL_SIZE="32")


@pytest.mark.parametrize("kind", ["memcached", "filesystem", "mongodb", "sqlalchemy", "null", ""])
def test_another_type_is_an_error_that_names_the_supported_ones(kind: str) -> None:
    with pytest.raises(ValueError, match=r"'cookie'.*'redis'"):
        configured(SESSION_TYPE=kind)
