"""The suite's options, and the fixtures through which one test runs on Flask's code and on ours."""

import signal
from collections.abc import Iterator

import flask
import pytest
from flask.sessions import SecureCookieSession
from flask.sessions import SecureCookieSessionInterface

from . import clock as clocks
from . import flavours
from .flavours import Flavour
from .record_pairs import Pair
from .record_pairs import PAIRS
from .redis import options as redis_options
from .visits import new_app


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("flask-session-rs")
    group.addoption(
        "--sessions",
        type=int,
        default=100_000,
        metavar="N",
        help="random sessions to compare with Flask's (default: %(default)s)",
    )
    group.addoption(
        "--hostile",
        type=int,
        default=50_000,
        metavar="N",
        help="hostile cookies to survive (default: %(default)s)",
    )
    redis_options.add(parser)


#: Files of few tests that take long: begun first, so that no process waits for another one in the end.
LONG = ("tests/soak/", "tests/test_differential.py", "tests/redis/test_exchange.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """A shell that starts the suite in the background has it ignore Ctrl-C, and all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=flavours.BOTH, ids=lambda flavour: flavour.name)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Flask's classes, then ours."""
    chosen: Flavour = request.param
    return chosen


@pytest.fixture
def interface(flavour: Flavour) -> SecureCookieSessionInterface:
    """An instance of Flask's interface, then of ours."""
    return flavour.interface()


@pytest.fixture
def app(interface: SecureCookieSessionInterface) -> flask.Flask:
    """An application with Flask's interface, then with ours."""
    return new_app(interface)


@pytest.fixture
def session_class(flavour: Flavour) -> type[SecureCookieSession]:
    """Flask's session, then ours."""
    return flavour.session_class


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> clocks.Clock:
    """The clock, stopped."""
    return clocks.freeze(monkeypatch)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compression, so that whole headers can be compared byte for byte."""
    flavours.plain(monkeypatch)


@pytest.fixture
def context() -> Iterator[None]:
    """An application context, as the tagged serializer needs one to sort its keys."""
    with new_app(None).app_context():
        yield


@pytest.fixture(params=PAIRS.values(), ids=list(PAIRS))
def pair(request: pytest.FixtureRequest) -> Pair:
    """A codec of records and its oracle, in each format."""
    chosen: Pair = request.param
    return chosen
