"""A session's life over HTTP: what Flask's interface answers, ours answers, byte for byte."""

import itertools
import random
from datetime import timedelta
from typing import Any

import flask
import pytest

from .clock import Clock
from .flavours import BOTH
from .flavours import NATIVE
from .views import LIFE
from .views import session_app
from .views import VIEWS
from .visits import Answer
from .visits import run
from .visits import Step
from .visits import visit
from .visits import Visitor

pytestmark = pytest.mark.usefixtures("clock", "plain")


def compare(steps: tuple[Step, ...], **config: Any) -> list[Answer]:
    """Run the steps on both and insist on the same answers."""
    stock, native = (run(session_app(f.interface(), **config), steps) for f in BOTH)
    paths = [step for step in steps if isinstance(step, str)]
    for step, expected, got in zip(paths, stock, native, strict=True):
        assert got == expected, step
    return native


def test_life() -> None:
    answers = compare(LIFE)
    assert sum(len(answer.header("Set-Cookie")) for answer in answers) > 20


@pytest.mark.parametrize("view", sorted(VIEWS))
@pytest.mark.parametrize(
    "start", [(), ("/write",), ("/rich", "/write"), ("/rich", "/permanent"), ("/only_permanent",)]
)
@pytest.mark.parametrize("refresh", [True, False])
def test_each_view_from_each_state(view: str, start: tuple[str, ...], refresh: bool) -> None:
    steps = (*start, f"/{view}", "/untouched", "/read", f"/{view}", "/read")
    compare(steps, SESSION_REFRESH_EACH_REQUEST=refresh)


@pytest.mark.parametrize("seed", range(80))
def test_random_lives(seed: int) -> None:
    chance = random.Random(seed)
    names = sorted(set(VIEWS) - {"huge"})
    compare(tuple(f"/{chance.choice(names)}" for _ in range(25)))


def test_unmodified_answers_have_no_cookie_and_no_vary(flask_or_native: flask.Flask) -> None:
    answers = run(flask_or_native, ["/write", "/untouched", "/read"])
    assert [len(a.header("Set-Cookie")) for a in answers] == [1, 0, 0]
    assert [a.header("Vary") for a in answers] == [["Cookie"], [], ["Cookie"]]


def test_deleting_empties_the_jar(flask_or_native: flask.Flask) -> None:
    visitor = Visitor(flask_or_native)
    run(flask_or_native, ["/write", "/delete"], visitor)
    assert visitor.jar == {}


def test_views_that_fail_save_once_more(flask_or_native: flask.Flask) -> None:
    failed, read = run(flask_or_native, ["/fail", "/read"])
    assert failed.status.startswith("500")
    assert len(failed.header("Set-Cookie")) == 1
    assert read.body == "dict{str 'failed': bool True}"


def test_session_that_cannot_be_saved_is_an_error(flask_or_native: flask.Flask) -> None:
    (answer,) = run(flask_or_native, ["/wrong"])
    assert answer.status.startswith("500")
    assert "Object of type set is not JSON serializable" in " ".join(answer.logged)
    assert answer.header("Set-Cookie") == []


@pytest.fixture
def flask_or_native(interface: Any) -> flask.Flask:
    return session_app(interface)


ATTRIBUTES: dict[str, list[Any]] = {
    "SESSION_COOKIE_NAME": ["session", "sid", "__Host-s", "ünï", "a.b"],
    "SESSION_COOKIE_DOMAIN": [
        None, "", "example.com", ".example.com", "example.com:5000", "bücher.example",
        "localhost", False,
    ],
    "SESSION_COOKIE_PATH": [None, "", "/", "/app", "/a b;c", "/ü%20~[x]", "relative"],
    "APPLICATION_ROOT": ["/", "/root"],
    "SESSION_COOKIE_HTTPONLY": [True, False, None, 1, 0],
    "SESSION_COOKIE_SECURE": [False, True, None, 1],
    "SESSION_COOKIE_SAMESITE": [None, "Lax", "strict", "NONE", "bogus", ""],
    "SESSION_COOKIE_PARTITIONED": [False, True, None, 1],
    "SESSION_REFRESH_EACH_REQUEST": [True, False, None],
    "PERMANENT_SESSION_LIFETIME": [
        timedelta(days=31), 3600, timedelta(seconds=0.5), timedelta(0), timedelta(-1),
        timedelta(days=1, microseconds=300_000), 10**9,
    ],
    "MAX_COOKIE_SIZE": [4093, 0, 40, 200],
}  # fmt: skip
SHORT = ("/rich", "/read", "/permanent", "/untouched", "/read", "/write_and_empty", "/untouched")


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key in ATTRIBUTES for value in ATTRIBUTES[key]]
)
def test_each_setting(key: str, value: Any) -> None:
    compare(SHORT, **{key: value})


@pytest.mark.parametrize("seed", range(150))
def test_settings_together(seed: int) -> None:
    chance = random.Random(seed)
    compare(SHORT, **{key: chance.choice(values) for key, values in ATTRIBUTES.items()})


def test_the_settings_show(flask_or_native: flask.Flask) -> None:
    """Every attribute in its place, so that two equal mistakes do not pass for agreement."""
    flask_or_native.config.update(
        SESSION_COOKIE_DOMAIN=".example.com",
        SESSION_COOKIE_PATH="/p",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="lax",
        SESSION_COOKIE_PARTITIONED=True,
    )
    visitor = Visitor(flask_or_native)
    visitor.get("/only_permanent")
    names = [
        attribute.partition("=")[0]
        for attribute in visitor.get("/write").header("Set-Cookie")[0].split("; ")[1:]
    ]
    expected = ["Domain", "Expires", "Secure", "HttpOnly", "Path", "SameSite", "Partitioned"]
    assert names == expected
    deleted = visitor.get("/write_and_empty").header("Set-Cookie")[0]
    assert [a.partition("=")[0] for a in deleted.split("; ")[1:]] == [
        "Domain", "Expires", "Max-Age", "Secure", "HttpOnly", "Path", "SameSite", "Partitioned",
    ]  # fmt: skip
    assert "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0" in deleted


def _set(key: str, value: Any) -> Step:
    return lambda app: app.config.__setitem__(key, value)


@pytest.mark.parametrize("key", sorted(ATTRIBUTES))
def test_settings_change_between_requests(key: str) -> None:
    steps: list[Step] = []
    for value in itertools.islice(itertools.cycle(ATTRIBUTES[key]), 10):
        steps += [_set(key, value), *SHORT]
    compare(tuple(steps))


@pytest.mark.parametrize("key", sorted(ATTRIBUTES))
def test_a_missing_setting_is_the_same_error(key: str) -> None:
    compare(("/write", lambda app: app.config.pop(key), "/rich", "/write_and_empty"))


@pytest.mark.parametrize("number", [0, 1, 1023, 1024, 1025, 3000, 4092, 4093, 4094, 5000, 50_000])
def test_size_warning(number: int) -> None:
    def fill(app: flask.Flask) -> None:
        flask.session["x"] = "é" * (number // 6) + "x" * (number % 6)

    answers = []
    for flavour in BOTH:
        app = session_app(flavour.interface())
        app.before_request(lambda app=app: fill(app))
        answers.append(visit(app, "/untouched"))
    assert answers[0] == answers[1]
    assert bool(answers[1].warned) == (number > 3000)


def test_size_warning_points_into_the_same_place(interface: Any) -> None:
    """The warning is issued once for each request, as UserWarning, and can be an error."""
    app = session_app(interface, TESTING=True)
    with pytest.raises(UserWarning, match="The 'session' cookie is too large"):
        app.test_client().get("/big")


@pytest.mark.parametrize("age", [0, 1, 59, 60, 61, 3600, -1, -3600])
@pytest.mark.parametrize("lifetime", [60, timedelta(seconds=60.9), timedelta(0), -1])
def test_expiry(age: int, lifetime: Any, clock: Clock) -> None:
    results = []
    for flavour in BOTH:
        app = session_app(flavour.interface(), PERMANENT_SESSION_LIFETIME=lifetime)
        visitor = Visitor(app)
        answers = run(app, ["/rich", "/only_permanent", "/write"], visitor)
        clock.advance(age)
        results.append(answers + run(app, ["/untouched", "/read"], visitor))
        clock.advance(-age)
    assert results[0] == results[1]


def test_expired_is_empty(interface: Any, clock: Clock) -> None:
    app = session_app(interface, PERMANENT_SESSION_LIFETIME=60)
    visitor = Visitor(app)
    visitor.get("/write")
    seen = []
    for _ in range(2):
        seen.append(visitor.get("/read").body)
        clock.advance(30.5)
    seen.append(visitor.get("/read").body)
    assert seen == ["dict{str 'count': int 1}", "dict{str 'count': int 1}", "dict{}"]


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5, 0.7, 0.999999])
def test_fractions_of_seconds(fraction: float, clock: Clock) -> None:
    clock.now = 1_700_000_000 + fraction
    for lifetime in (0.3, 0.5, 0.7, 1.000001, 59.999999):
        compare(SHORT, PERMANENT_SESSION_LIFETIME=timedelta(seconds=lifetime))


@pytest.mark.parametrize("now", [0.0, 0.9, 1.0, 255.0, 256.0, 2.0**31, 2.0**32, 1e10, 1e11])
def test_timestamps_of_every_length(now: float, clock: Clock) -> None:
    clock.now = now
    compare(SHORT)


@pytest.mark.parametrize("delta", [timedelta.max, timedelta.min, timedelta(days=10**6)])
def test_lifetimes_out_of_all_proportion(delta: timedelta) -> None:
    compare(SHORT, PERMANENT_SESSION_LIFETIME=delta)


def test_our_name_for_it_is_an_attribute() -> None:
    """`flask.session` is the very object that the interface made."""
    app = session_app(NATIVE.interface())
    with app.test_request_context("/"):
        assert isinstance(flask.session, NATIVE.session_class)
