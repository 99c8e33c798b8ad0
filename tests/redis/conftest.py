"""The fixtures of the Redis tests: servers, flavours, and which promises are asked of which of the two."""

from __future__ import annotations

import logging
import typing as t

import flask
import pytest

from . import certificates as certs
from . import flavours
from .apps import stored_app
from .flavours import Flavour
from .proxy import FaultProxy
from .server import RedisServer
from .topologies import ClusterNode


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "flask_session_breaks(how): a promise that Flask-Session 0.8 is known to break, and how;"
        " asked of ours alone",
    )


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> t.Iterator[None]:
    """Applications of one name share a logger: what a test silences is heard again in the next."""
    loggers = logging.root.manager.loggerDict
    before = {name for name, logger in loggers.items() if getattr(logger, "disabled", False)}
    yield
    for name, logger in loggers.items():
        if isinstance(logger, logging.Logger) and name not in before:
            logger.disabled = False


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a `flavour` runs on Flask-Session and on ours, unless it is marked."""
    if "flavour" in metafunc.fixturenames:
        broken = metafunc.definition.get_closest_marker("flask_session_breaks")
        alone = broken is not None and not metafunc.config.getoption("--oracle-too")
        chosen = (flavours.NATIVE,) if alone else flavours.BOTH
        names = [flavour.name for flavour in chosen]
        metafunc.parametrize("flavour", chosen, ids=names, indirect=True)


@pytest.fixture
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Flask-Session, then ours; see above."""
    chosen: Flavour = request.param
    return chosen


@pytest.fixture(scope="session")
def shared_server() -> t.Iterator[RedisServer]:
    """One server for every test that leaves it as it is."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(shared_server: RedisServer) -> t.Iterator[RedisServer]:
    """The shared server, empty."""
    shared_server.flush()
    shared_server.client.script_flush()
    yield shared_server
    assert shared_server.process is not None, "the test left the shared server stopped"


@pytest.fixture
def own_server() -> t.Iterator[RedisServer]:
    """A server for this test alone, which may do to it what it likes."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def shared_cluster() -> t.Iterator[ClusterNode]:
    with ClusterNode() as node:
        yield node


@pytest.fixture
def cluster(shared_cluster: ClusterNode) -> ClusterNode:
    """The shared cluster of one node, empty."""
    shared_cluster.flush()
    return shared_cluster


@pytest.fixture
def proxy(server: RedisServer) -> t.Iterator[FaultProxy]:
    """A proxy in front of the shared server; it does no harm until it is given a plan."""
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> certs.Certificates:
    return certs.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def native() -> Flavour:
    """Ours, for what only ours has."""
    return flavours.NATIVE


@pytest.fixture
def app(flavour: Flavour, server: RedisServer) -> flask.Flask:
    """The application of the tests, with each flavour in turn."""
    return stored_app(flavour, server.url())
