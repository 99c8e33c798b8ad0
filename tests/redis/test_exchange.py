"""Records in both directions: what Flask-Session wrote we read, and what we wrote it reads, byte for byte the same."""

from __future__ import annotations

import copy
import logging
import random
import typing as t

import flask
import pytest
from flask import session
from markupsafe import Markup

from ..describe import describe
from ..visits import Visitor
from . import flavours
from . import generators
from .apps import content
from .apps import decode
from .apps import key_of
from .apps import PREFIX
from .apps import record_of
from .apps import same_user
from .apps import shown
from .apps import stored_app
from .apps import user_with
from .flavours import FLASK_SESSION
from .flavours import Flavour
from .flavours import NATIVE
from .server import RedisServer

FORMATS = ("msgpack", "json")
SID = "s" * 43


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flask-Session logs what it cannot encode."""
    monkeypatch.setattr(logging.getLogger("visited"), "disabled", True)


class Side:
    """One of the two, without views: opens and saves as a request does."""

    def __init__(self, flavour: Flavour, server: RedisServer, format: str) -> None:
        self.app = flavour.app(server.url(), options={"serialization_format": format})

    def write(self, data: dict[str, t.Any]) -> str:
        """Store the data under `SID`; what is raised instead, or nothing."""
        with self.app.test_request_context("/", headers={"Cookie": f"session={SID}"}) as context:
            try:
                session.clear()
                session.pop("_permanent", None)
                session.update(copy.deepcopy(data))
                self.app.session_interface.save_session(
                    self.app,
                    context._session,  # type: ignore[arg-type]
                    flask.Response(),
                )
            except Exception as error:
                return type(error).__name__
        return ""

    def read(self) -> str:
        with self.app.test_request_context("/", headers={"Cookie": f"session={SID}"}):
            return describe(dict(session))


@pytest.mark.parametrize("format", FORMATS)
def test_random_records_both_ways(
    server: RedisServer, format: str, pytestconfig: pytest.Config
) -> None:
    """The same bytes, or the same error; read alike by both, whatever format each is set to."""
    number: int = pytestconfig.getoption("--records")
    other = FORMATS[format == "msgpack"]
    stock, ours = (Side(flavour, server, format) for flavour in (FLASK_SESSION, NATIVE))
    stock_other, ours_other = (Side(flavour, server, other) for flavour in (FLASK_SESSION, NATIVE))
    start = b"\x81\xa1a\x01"
    refused = 0
    for seed in range(number):
        data = generators.session(seed)
        if not data or set(data) == {"_permanent"}:
            continue
        records = []
        for side in (stock, ours):
            server.client.set(PREFIX + SID, start)
            raised = side.write(data)
            records.append((raised, server.client.get(PREFIX + SID)))
        assert records[1] == records[0], (seed, data)
        if records[0][0]:
            refused += 1
            assert records[1][1] == start
            continue
        expected = stock.read()
        assert ours.read() == expected, seed
        if seed % 4 == 0:
            assert ours_other.read() == stock_other.read() == expected, seed
    assert refused < number * (0.1 if format == "msgpack" else 0.25)


class Text(str):
    """A subclass, as translations and templates have them."""


class Number(int):
    """A subclass of int."""


class LazyString:
    """As Flask-Babel's: no string, but one on demand."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __html__(self) -> str:
        return self.text


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Markup("<b>"), "<b>"),
        (Text("text"), "text"),
        (Number(5), 5),
        (LazyString("lazy"), "lazy"),
        ([Markup("a"), {"b": Text("c")}], ["a", {"b": "c"}]),
        (("danger", Markup("<i>")), ["danger", "<i>"]),
    ],
    ids=["Markup", "str", "int", "lazy", "nested", "flash"],
)
@pytest.mark.flask_session_breaks("a TypeError, hence a 500: the most reported breakage")
def test_subclasses_are_stored_as_their_base(
    flavour: Flavour, server: RedisServer, format: str, value: t.Any, stored: t.Any
) -> None:
    app = stored_app(flavour, server.url(), {"serialization_format": format})

    @app.get("/odd_value")
    def odd_value() -> str:
        session["value"] = value
        return "done"

    visitor = user_with(app, "/odd_value")
    assert record_of(server, visitor) == {"_permanent": True, "value": stored}
    stock = stored_app(FLASK_SESSION, server.url(), {"serialization_format": format})
    assert content(same_user(stock, visitor)) == shown(_permanent=True, value=stored)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "value",
    [object(), 2**64, -(2**63) - 1, "\ud800", lambda: 1, {object(): 1}, 1j, [[[{"a": object()}]]]],
    ids=["object", "2**64", "-2**63-1", "surrogate", "function", "key", "complex", "nested"],
)
def test_what_cannot_be_stored_is_the_same_error_and_leaves_the_record(
    server: RedisServer, format: str, value: t.Any
) -> None:
    raised = []
    for flavour in flavours.BOTH:
        server.client.set(PREFIX + SID, b"\x81\xa1a\x01")
        raised.append(Side(flavour, server, format).write({"value": value}))
        if raised[0]:
            assert server.client.get(PREFIX + SID) == b"\x81\xa1a\x01"
    assert raised[0] == raised[1]


@pytest.mark.parametrize("seed", range(12))
def test_a_mixed_fleet_serves_one_user_base(server: RedisServer, seed: int) -> None:
    """Workers of both, in both formats, take turns; users notice nothing."""
    chance = random.Random(seed)
    fleet = [
        stored_app(flavour, server.url(), {"serialization_format": format})
        for flavour in flavours.BOTH
        for format in FORMATS
    ]
    reference = stored_app(FLASK_SESSION, server.url(), {"key_prefix": "reference:"})
    user, double = Visitor(fleet[0]), Visitor(reference)
    steps = [
        "/write", "/set/a/1", "/set/b/2", "/drop/a", "/append/1", "/append/2", "/read", "/untouched",
        "/login/ann", "/flash", "/flashed", "/regenerate", "/permanent", "/not_permanent", "/logout",
        "/set_default", "/pop_item", "/update_in_place",
    ]  # fmt: skip
    for _ in range(60):
        user.app = chance.choice(fleet)
        step = chance.choice(steps)
        got, expected = user.get(step), double.get(step)
        assert (got.status, got.body) == (expected.status, expected.body), step
        assert len(user.jar) == len(double.jar), step
        if user.jar:
            record: t.Any = server.client.get(f"reference:{double.jar['session']}")
            assert record_of(server, user) == decode(record), step
    assert len(server.records(PREFIX)) == len(user.jar)


def test_one_who_moves_to_ours_and_back_stays_logged_in(server: RedisServer) -> None:
    stock, ours = (stored_app(flavour, server.url()) for flavour in flavours.BOTH)
    visitor = user_with(stock, "/login/ann")
    key = key_of(visitor)
    for number, app in enumerate((ours, stock, ours, stock), 1):
        visitor.app = app
        visitor.get(f"/append/{number}")
        expected = shown(_permanent=True, user="ann", cart=[*range(1, number + 1)])
        assert content(visitor) == expected
        assert key_of(visitor) == key
