"""What the documentation says of a server that has used up its memory, by its policy of eviction."""

from __future__ import annotations

import pytest

from .. import documents
from ..visits import Visitor
from .apps import content
from .apps import stored_app
from .flavours import NATIVE
from .server import RedisServer

OPERATIONS = documents.PAGES["operations.md"]


def policies() -> list[str]:
    """Those that are said to log users out."""
    rows = documents.table(OPERATIONS, "`maxmemory-policy`")
    names = [name.strip(" `.") for row in rows for name in row["`maxmemory-policy`"].split(",")]
    assert names[0] == "noeviction"
    return [name for name in names[1:] if name]


@pytest.mark.parametrize("size", [10, 100_000])
def test_noeviction(own_server: RedisServer, size: int) -> None:
    """Reading goes on, and so does logging out; nothing new is written, and nobody is logged out."""
    app = stored_app(NATIVE, own_server.url(), {"timeout": 5})
    reader, leaver, writer = (Visitor(app) for _ in range(3))
    for visitor in (reader, leaver, writer):
        visitor.get(f"/fill/{size}/a")
    own_server.client.config_set("maxmemory-policy", "noeviction")
    own_server.client.config_set("maxmemory", 1)
    before = content(reader)
    assert leaver.get("/logout").status == "200 OK"
    assert leaver.jar == {}
    for path in ("/set/b/1", "/login/ann"):
        assert writer.get(path).status == "500 INTERNAL SERVER ERROR"
    assert Visitor(app).get("/write").status == "500 INTERNAL SERVER ERROR"
    assert content(writer) == content(reader) == before
    assert len(own_server.records()) == 2


@pytest.mark.parametrize("size", [10, 100_000])
def test_the_last_key_can_go(own_server: RedisServer, size: int) -> None:
    """A session that is emptied without `clear()` frees memory, too."""
    app = stored_app(NATIVE, own_server.url(), {"timeout": 5})
    visitor = Visitor(app)
    visitor.get(f"/fill/{size}/a")
    own_server.client.config_set("maxmemory-policy", "noeviction")
    own_server.client.config_set("maxmemory", 1)
    assert visitor.get("/drop/filling").status == "200 OK"
    assert (visitor.jar, own_server.records()) == ({}, {})


def test_a_record_that_could_not_be_read_is_not_written(own_server: RedisServer) -> None:
    app = stored_app(NATIVE, own_server.url(), {"timeout": 10})
    visitor, other = Visitor(app), Visitor(app)
    visitor.get("/fill/10/a")
    before = content(visitor)
    for refused in (visitor, other):  # changed, new
        assert refused.get(f"/fill/{(64 << 20) - 5}/a").status == "500 INTERNAL SERVER ERROR"
    assert (content(visitor), other.jar) == (before, {})
    # The largest that is: what is around it takes 26 bytes, with `_permanent`.
    assert visitor.get(f"/fill/{(64 << 20) - 26}/a").status == "200 OK"
    assert len(content(visitor)) > 64 << 20


@pytest.mark.parametrize("policy", policies())
def test_policies_that_evict(own_server: RedisServer, policy: str) -> None:
    """Writing goes on; some of those who were there before are logged out."""
    app = stored_app(NATIVE, own_server.url(), {"timeout": 5})
    before = [Visitor(app) for _ in range(10)]
    for visitor in before:
        visitor.get("/fill/1000/a")
    own_server.client.config_set("maxmemory-policy", policy)
    used = own_server.client.info("memory")["used_memory"]
    own_server.client.config_set("maxmemory", used + 300_000)
    for _ in range(60):
        assert Visitor(app).get("/fill/20000/a").status == "200 OK"
    left = [visitor for visitor in before if "filling" in content(visitor)]
    assert len(left) < len(before)
