"""Every order of the steps of up to three requests of one session: nothing comes back, and nothing is lost."""

from __future__ import annotations

import itertools
import random
import typing as t

import flask
import pytest

from . import steps
from .flavours import Flavour
from .server import RedisServer
from .steps import InSteps
from .steps import Store
from .steps_model import Action
from .steps_model import ACTIONS
from .steps_model import Model
from .steps_model import Request
from .steps_model import Said

START = {"user": "nobody", "shared": [1, 2]}

#: Which request takes its next step, in turn.
Order = tuple[int, ...]


def view(request: Request) -> steps.Use:
    """The model's action, done to a real session."""

    def do(session: t.Any) -> None:
        action = request.action
        if action == "read":
            session.get("user")
        elif action == "write":
            session.update(request.own())
        elif action in ("log in", "refill"):
            session.clear()
            session["user"] = request.name
            if action == "log in":
                steps.regenerate(session)
        elif action == "log out":
            session.clear()
        elif action == "regenerate":
            steps.regenerate(session)
        elif action == "pop":
            for key in list(session):
                if key != "_permanent":
                    session.pop(key)

    return do


class Run:
    """One order of the steps of some requests, step by step against the model."""

    def __init__(self, app: flask.Flask, store: Store, actions: t.Sequence[Action]) -> None:
        self._store = store
        self._refresh = app.config["SESSION_REFRESH_EACH_REQUEST"]
        first = steps.begin(app, **START)
        self._model = Model(START, refresh=self._refresh)
        self._ids = {0: first}
        self._requests = [Request(f"request {n}", action) for n, action in enumerate(actions)]
        self._real = [InSteps(app, first) for _ in actions]

    def step(self, number: int, name: str) -> None:
        request, real = self._requests[number], self._real[number]
        if name == "open":
            real.open()
        elif name == "use":
            self._model.use(request)
            if request.action != "ignore":
                real.use(view(request))
        else:
            only_reads = request.action in ("read", "ignore")
            before = self._store.raw() if only_reads else None
            said = self._model.save(request)
            response = real.save()
            real.close()
            self._check_cookie(said, steps.told(response))
            if only_reads:
                assert self._store.raw() == before, "a request that only reads wrote"
            self._check_store()

    def _check_cookie(self, said: Said, told: steps.Told) -> None:
        if not isinstance(said, int):
            assert told == said
            return
        assert isinstance(told, tuple), told
        if said in self._ids:
            assert told[1] == self._ids[said]
        else:
            assert told[1] not in self._ids.values(), "an old id came back"
            self._ids[said] = told[1]

    def _check_store(self) -> None:
        expected = {self._ids[number]: data for number, data in self._model.sessions.items()}
        assert self._store.all() == expected

    def all(self, order: Order, names: tuple[str, ...]) -> None:
        left = [iter(names) for _ in self._requests]
        for number in order:
            self.step(number, next(left[number]))


def orders(requests: int, length: int) -> list[Order]:
    """Every order of so many requests' steps in which request n begins before request n + 1.

    All others are one of these with other names: every sequence of actions is run through each.
    """
    ordered = set(itertools.permutations([n for n in range(requests) for _ in range(length)]))
    return sorted(o for o in ordered if list(dict.fromkeys(o)) == list(range(requests)))


@pytest.fixture(params=[True, False], ids=["refresh", "no refresh"])
def app(flavour: Flavour, server: RedisServer, request: pytest.FixtureRequest) -> flask.Flask:
    return steps.new_app(flavour, server.unix_url(), SESSION_REFRESH_EACH_REQUEST=request.param)


def check(
    app: flask.Flask, server: RedisServer, runs: t.Iterable[tuple[tuple[Action, ...], Order]]
) -> int:
    """Each run on an empty server. How many there were."""
    store = Store(server.client)
    count = 0
    for actions, order in runs:
        server.client.flushall()
        length = len(order) // len(actions)
        names = ("use", "save") if length == 2 else ("open", "use", "save")
        run = Run(app, store, actions)
        if length == 2:
            for number in range(len(actions)):
                run.step(number, "open")
        try:
            run.all(order, names)
        except AssertionError as error:
            raise AssertionError(f"{actions} in the order {order}: {error}") from error
        count += 1
    return count


def every(
    requests: int, length: int, chosen: t.Sequence[Action] = ACTIONS
) -> list[tuple[tuple[Action, ...], Order]]:
    ordered = orders(requests, length)
    actions: t.Iterable[t.Any] = itertools.product(chosen, repeat=requests)
    return [(several, order) for several in actions for order in ordered]


#: The others are seen in pairs, and in the sample.
SIX: tuple[Action, ...] = ("read", "write", "log in", "log out", "regenerate", "pop")

BREAKS = pytest.mark.flask_session_breaks(
    "the last request to be saved wins, ended sessions included"
)


@BREAKS
@pytest.mark.parametrize("requests", [1, 2])
def test_of_up_to_two_requests(app: flask.Flask, server: RedisServer, requests: int) -> None:
    """Opened, used and saved in every order."""
    expected = {1: 8, 2: 64 * 10}[requests]
    assert check(app, server, every(requests, 3)) == expected


@BREAKS
def test_of_three_requests_that_are_open(flavour: Flavour, server: RedisServer) -> None:
    """Used and saved in every order: opening asks the store for nothing, which has a test below."""
    app = steps.new_app(flavour, server.unix_url(), SESSION_REFRESH_EACH_REQUEST=False)
    assert check(app, server, every(3, 2, SIX)) == 6**3 * 15


@BREAKS
def test_of_three_requests(
    app: flask.Flask, server: RedisServer, pytestconfig: pytest.Config
) -> None:
    """Opened, used and saved: as many of the 143,360 as the option says, chosen anew each time."""
    runs = every(3, 3)
    number = pytestconfig.getoption("--interleavings")
    if number < len(runs):
        runs = random.sample(runs, number)
    assert check(app, server, runs) == len(runs)


def test_opening_asks_for_nothing(native: Flavour, server: RedisServer) -> None:
    """Why the three requests may be open from the start."""
    app = steps.new_app(native, server.unix_url())
    sid = steps.begin(app, **START)
    with server.commands() as sent:
        request = InSteps(app, sid)
        request.open()
        assert sent.count() == 0
        request.use()
        assert sent.names() == ["GETEX"]
        request.finish()


def test_the_model_itself() -> None:
    """What the table of promises says of two requests, word by word."""

    def two(first: Action, second: Action) -> tuple[dict[int, t.Any], Said]:
        model = Model({"user": "nobody"}, refresh=False)
        a, b = Request("a", first), Request("b", second)
        model.use(a)
        model.use(b)
        model.save(a)
        said = model.save(b)
        return model.sessions, said

    both = {"user": "nobody", "by a": "a", "by b": "b"}
    assert two("write", "write") == ({0: both}, 0)
    assert two("log out", "write") == ({}, "left alone")
    assert two("regenerate", "write") == ({1: {"user": "nobody"}}, "left alone")
    assert two("regenerate", "log out") == ({1: {"user": "nobody"}}, "left alone")
    assert two("write", "log in") == ({1: {"user": "b"}}, 1)
    assert two("write", "pop") == ({0: {"by a": "a"}}, "left alone")
    assert two("log out", "pop") == ({}, "left alone")
    assert two("write", "regenerate") == ({1: {"user": "nobody", "by a": "a"}}, 1)
    assert two("write", "read") == ({0: {"user": "nobody", "by a": "a"}}, "left alone")
