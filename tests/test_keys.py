"""Keys come and go while the application runs: the newest signs, the old ones still open."""

from typing import Any

import flask
import pytest

from .clock import Clock
from .flavours import BOTH
from .flavours import FLASK
from .flavours import Flavour
from .flavours import NATIVE
from .views import session_app
from .visits import run
from .visits import Step
from .visits import visit
from .visits import Visitor

pytestmark = pytest.mark.usefixtures("clock", "plain")

STEPS = ("/write", "/read", "/permanent", "/untouched", "/read")
SEEN = "dict{str 'count': int 1}"


def key(secret: Any, fallbacks: Any = None) -> Step:
    def change(app: flask.Flask) -> None:
        app.secret_key = secret
        app.config["SECRET_KEY_FALLBACKS"] = fallbacks

    return change


ROTATIONS: dict[str, tuple[Step, ...]] = {
    "another key": (*STEPS, key("two"), *STEPS),
    "rotated": (*STEPS, key("two", ["a key"]), *STEPS, key("two"), *STEPS),
    "rotated twice": (*STEPS, key("two", ["a key"]), key("three", ["a key", "two"]), *STEPS),
    "wrong fallbacks": (*STEPS, key("two", ["x", "y", "z"]), *STEPS),
    "many fallbacks": (*STEPS, key("two", [*map(str, range(50)), "a key"]), *STEPS),
    "rolled back": (*STEPS, key("two", ["a key"]), *STEPS, key("a key", ["two"]), *STEPS),
    "bytes": (*STEPS, key(b"a key"), *STEPS, key(b"\xff\x00", [b"a key"]), *STEPS),
    "str again": (key(b"two"), *STEPS, key("two"), *STEPS),
    "not ASCII": (key("schlüssel"), *STEPS, key("schlüssel".encode()), *STEPS),
    "long": (key("k" * 64), *STEPS, key("k" * 65), *STEPS, key("k" * 1000, ["k" * 64]), *STEPS),
    "a tuple of fallbacks": (*STEPS, key("two", ("a key",)), *STEPS),
    "no fallbacks": (*STEPS, key("a key", []), *STEPS, key("two", ()), *STEPS),
    "fallbacks mixed": (*STEPS, key("two", [b"x", "a key"]), *STEPS),
    "an empty fallback": (*STEPS, key("two", ["", "a key"]), *STEPS),
    "gone": (*STEPS, key(None), *STEPS, key("a key"), *STEPS),
    "empty": (*STEPS, key(""), *STEPS, key(b""), *STEPS),
    "fallbacks only": (*STEPS, key(None, ["a key"]), *STEPS),
    "a number": (*STEPS, key(5), *STEPS),
    "a bytearray": (*STEPS, key(bytearray(b"a key")), *STEPS),
    "a fallback of None": (*STEPS, key("two", [None]), *STEPS),
    "fallbacks as one string": (*STEPS, key("two", "a key"), *STEPS),
}


@pytest.mark.parametrize("steps", ROTATIONS.values(), ids=ROTATIONS.keys())
def test_same_answers_under_rotation(steps: tuple[Step, ...]) -> None:
    stock, native = (run(session_app(f.interface()), steps) for f in BOTH)
    assert native == stock


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (key("two"), "dict{}"),
        (key("two", ["a key"]), SEEN),
        (key("two", ["x", "a key"]), SEEN),
        (key("two", ["a key", "x"]), SEEN),
        (key(b"a key"), SEEN),
        (key("A key"), "dict{}"),
    ],
)
def test_rotation_is_seen(flavour: Flavour, change: Step, seen: str) -> None:
    _, read = run(session_app(flavour.interface()), ["/write", change, "/read"])
    assert read.body == seen


def test_a_key_that_cannot_be_encoded(flavour: Flavour) -> None:
    (answer,) = run(session_app(flavour.interface(), SECRET_KEY="\ud800"), ["/write"])
    assert answer.status.startswith("500")
    assert "UnicodeEncodeError" in answer.logged[0]


def test_the_newest_key_signs(flavour: Flavour) -> None:
    app = session_app(flavour.interface(), SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old", "older"])
    visitor = Visitor(app)
    visitor.get("/write")
    for secret, seen in (("old", "dict{}"), ("older", "dict{}"), ("new", SEEN)):
        other = session_app(flavour.interface(), SECRET_KEY=secret)
        assert visit(other, "/read", visitor.cookie).body == seen


def test_the_same_list_changed_in_place(flavour: Flavour) -> None:
    """A list of fallbacks that changes without being replaced is read anew at each request."""
    app = session_app(flavour.interface())
    visitor = Visitor(app)
    visitor.get("/write")
    fallbacks: list[str] = []
    key("two", fallbacks)(app)  # type: ignore[operator]
    seen = []
    for change in (None, "a key", "x", "y"):
        if change is not None:
            fallbacks[:] = [change]
        seen.append(visitor.get("/read").body)
    assert seen == ["dict{}", SEEN, "dict{}", "dict{}"]


def test_keys_that_reuse_memory(flavour: Flavour) -> None:
    """A new key at the address of a dead one is a new key."""
    app = session_app(flavour.interface())
    for number in range(200):
        app.config["SECRET_KEY"] = f"{number:032}"
        visitor = Visitor(app)
        visitor.get("/write")
        assert visitor.get("/read").body == SEEN
        app.config["SECRET_KEY"] = f"{number:031}x"
        assert visitor.get("/read").body == "dict{}"


def test_applications_side_by_side(flavour: Flavour) -> None:
    """Several applications, one interface or many, and nobody opens another one's cookie."""
    shared = flavour.interface()
    apps = [
        session_app(interface, SECRET_KEY=f"key {number % 3}")
        for number, interface in enumerate([shared, shared, shared, flavour.interface(), shared])
    ]
    visitors = [Visitor(app) for app in apps]
    for _ in range(3):
        for visitor in visitors:
            visitor.get("/write")
    for i, app in enumerate(apps):
        for j, visitor in enumerate(visitors):
            seen = visit(app, "/read", visitor.cookie).body
            expected = "dict{str 'count': int 3}" if i % 3 == j % 3 else "dict{}"
            assert seen == expected


def test_one_interface_with_other_settings_in_each_app() -> None:
    def answers(flavour: Flavour) -> list[Any]:
        interface = flavour.interface()
        apps = [
            session_app(interface, SESSION_COOKIE_NAME=f"s{n}", SESSION_COOKIE_PATH=f"/{n}")
            # More than an interface keeps the settings of.
            for n in range(12)
        ]
        return [run(app, [path])[0] for path in STEPS for app in apps]

    assert answers(NATIVE) == answers(FLASK)


@pytest.mark.parametrize("writer", BOTH, ids=lambda f: f.name)
@pytest.mark.parametrize("secret", ["a key", b"\x00\xff" * 40, "schlüssel"])
def test_cookies_change_hands(writer: Flavour, secret: Any, clock: Clock) -> None:
    """What one writes the other reads, refreshes and deletes."""
    reader = FLASK if writer is NATIVE else NATIVE
    apps = [session_app(f.interface(), SECRET_KEY=secret) for f in (writer, reader)]
    visitors = [Visitor(apps[0]), Visitor(apps[0])]
    for number, step in enumerate(["/rich", "/write", "/permanent", "/untouched", "/write"] * 3):
        visitors[0].app = apps[number % 2]
        assert visitors[0].get(step) == visitors[1].get(step)
        assert visitors[0].get("/read") == visitors[1].get("/read")
        clock.advance(10)
    assert visitors[0].get("/write_and_empty") == visitors[1].get("/write_and_empty")
    assert visitors[0].jar == {}
