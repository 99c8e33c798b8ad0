"""A change is seen whichever way it was made; where possible, without encoding the session."""

from __future__ import annotations

import typing as t

import flask
import pytest

from ..changes import CHANGES
from . import steps
from .flavours import Flavour
from .server import RedisServer
from .steps import begin
from .steps import Store
from .steps import under_way


@pytest.fixture
def store(server: RedisServer) -> Store:
    return Store(server.client)


@pytest.fixture(params=["msgpack", "json"])
def app(native: Flavour, server: RedisServer, request: pytest.FixtureRequest) -> flask.Flask:
    return steps.new_app(
        native,
        server.unix_url(),
        SESSION_REFRESH_EACH_REQUEST=False,
        serialization_format=request.param,
    )


def items_of(session: t.Any) -> dict[str, t.Any]:
    """All that is to be in the record, but for `_permanent`."""
    return {key: value for key, value in session.items() if key != "_permanent"}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("before", [[], [1]], ids=["flat", "with a list"])
def test_changes_behind_its_back(
    app: flask.Flask, store: Store, server: RedisServer, change: str, before: list[int]
) -> None:
    """What is in the session at the end is in the record, unless that is nothing, and written if it is new."""
    items = {"a": 1, **({"list": before} if before or "inside" in change else {})}
    sid = begin(app, **items)
    kept = store.get(sid)
    held = under_way(app, sid, CHANGES[change])
    left = held.use(items_of)
    with server.commands() as sent:
        held.save()
    held.close()
    expected = left or kept
    assert store.get(sid) == expected
    assert ("EVALSHA" in sent.names()) == (expected != kept)


@pytest.mark.parametrize("change", ["an item", "inside an item"])
def test_changes_between_two_saves(app: flask.Flask, store: Store, change: str) -> None:
    sid = begin(app, a=1, **({"list": [1]} if "inside" in change else {}))
    held = under_way(app, sid, lambda session: None)
    held.save()
    held.use(CHANGES[change])
    left = held.use(items_of)
    held.save()
    held.close()
    assert store.get(sid) == left
