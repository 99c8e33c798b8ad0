"""Flask-Session's own Redis tests pass with ours under its name."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path
from xml.etree import ElementTree

import flask
import flask_session  # type: ignore[import-untyped]
import pytest
import redis as redis_py
from flask import session

import flask_session_rs

from .server import RedisServer

#: The last release whose source distribution has tests in it.
VERSION = "0.5.0"
SHIM = Path(__file__).parent / "shim"


@pytest.fixture(scope="module")
def sources(pytestconfig: pytest.Config) -> Path:
    """The unpacked source distribution, kept in `.cache/`."""
    cache = pytestconfig.rootpath / ".cache"
    unpacked = cache / f"Flask-Session-{VERSION}"
    if not (unpacked / "test_session.py").exists():
        cache.mkdir(exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", f"flask-session=={VERSION}", "--no-deps",
             "--no-binary", "flask-session", "--quiet", "--dest", str(cache)],
            check=True,
        )  # fmt: skip
        (archive,) = (
            found
            for found in cache.iterdir()
            if found.name.lower().replace("_", "-") == f"flask-session-{VERSION}.tar.gz"
        )
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(cache, filter="data")
            else:
                tar.extractall(cache)
    return unpacked


def test_the_tests_that_it_ships(sources: Path, server: RedisServer, tmp_path: Path) -> None:
    """Those of its Redis sessions, unchanged."""
    report = tmp_path / "report.xml"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path),
         f"--junit-xml={report}", "-k", "redis_session or use_signer", str(sources / "test_session.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SHIM), "PYTEST_ADDOPTS": "", "SHIM_REDIS": server.url()},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    cases = [case.get("name") for case in ElementTree.parse(report).iter("testcase")]
    assert cases == ["test_redis_session", "test_session_use_signer"]
    # It was this server that they used.
    assert server.records("session:")


Extension = t.Callable[[flask.Flask], object]


def _flask_session(app: flask.Flask) -> object:
    app.config["SESSION_REDIS"] = redis_py.Redis.from_url(app.config["SESSION_REDIS"])
    return flask_session.Session(app)


@pytest.fixture(params=[_flask_session, flask_session_rs.Session], ids=["flask-session", "native"])
def make(request: pytest.FixtureRequest, server: RedisServer) -> t.Callable[..., flask.Flask]:
    """An application set up by each of the two extensions, from the same configuration."""
    extension: Extension = request.param

    def make(**config: t.Any) -> flask.Flask:
        app = flask.Flask("extended")
        app.config.update({"SESSION_TYPE": "redis", "SESSION_REDIS": server.url(), **config})
        extension(app)

        @app.get("/")
        def untouched() -> str:
            return "untouched"

        @app.get("/set/<value>")
        def set_value(value: str) -> str:
            session["value"] = value
            return sid()

        @app.get("/get")
        def get() -> str:
            return str(session.get("value", "nothing"))

        @app.get("/delete")
        def delete() -> str:
            del session["value"]
            return "done"

        @app.get("/sid")
        def sid() -> str:
            opened: t.Any = session
            found: str = opened.sid
            return found

        @app.get("/regenerate")
        def regenerate() -> str:
            interface: t.Any = app.session_interface
            interface.regenerate(session)
            return sid()

        return app

    return make


class TestWhatItsLaterTestsAsk:
    """Their promises in our words, since later source distributions come without tests."""

    @pytest.mark.parametrize("format", ["json", "msgpack"])
    def test_a_value_is_set_changed_and_deleted(
        self, make: t.Callable[..., flask.Flask], server: RedisServer, format: str
    ) -> None:
        client = make(SESSION_SERIALIZATION_FORMAT=format).test_client()
        assert client.get("/get").text == "nothing"
        assert "Vary" not in client.get("/").headers
        for value in ("42", "43"):
            client.get(f"/set/{value}")
            answer = client.get("/get")
            assert (answer.text, answer.headers["Vary"]) == (value, "Cookie")
            assert server.records("session:")
        client.get("/delete")
        assert client.get("/get").text == "nothing"
        assert server.records() == {}

    def test_an_empty_session_has_another_id_each_time(
        self, make: t.Callable[..., flask.Flask]
    ) -> None:
        client = make().test_client()
        assert client.get("/sid").text != client.get("/sid").text
        client.get("/set/1")
        assert client.get("/sid").text == client.get("/sid").text

    def test_the_cookie_is_the_sid_of_the_view(self, make: t.Callable[..., flask.Flask]) -> None:
        client = make().test_client()
        for path in ("/set/1", "/regenerate", "/sid"):
            told = client.get(path).text
            cookie = client.get_cookie("session")
            assert cookie is not None
            assert cookie.value == told, path

    def test_regenerate_changes_the_id(self, make: t.Callable[..., flask.Flask]) -> None:
        client = make().test_client()
        before = client.get("/set/1").text
        assert client.get("/regenerate").text != before
        assert client.get("/sid").text != before
        assert client.get("/get").text == "1"

    def test_the_prefix_is_that_of_the_configuration(
        self, make: t.Callable[..., flask.Flask], server: RedisServer
    ) -> None:
        make(SESSION_KEY_PREFIX="another:").test_client().get("/set/1")
        assert server.records("another:")
        assert not server.records("session:")

    @pytest.mark.filterwarnings("ignore:The 'use_signer' option is deprecated")
    def test_the_id_is_signed_on_demand(self, make: t.Callable[..., flask.Flask]) -> None:
        client = make(SESSION_USE_SIGNER=True, SECRET_KEY="a key").test_client()
        sid = client.get("/set/1").text
        cookie = client.get_cookie("session")
        assert cookie is not None
        assert cookie.value.startswith(f"{sid}.")
        assert client.get("/get").text == "1"

    @pytest.mark.parametrize("permanent", [True, False])
    def test_sessions_are_permanent_or_not(
        self, make: t.Callable[..., flask.Flask], permanent: bool
    ) -> None:
        client = make(SESSION_PERMANENT=permanent).test_client()
        client.get("/set/1")
        cookie = client.get_cookie("session")
        assert cookie is not None
        assert (cookie.expires is not None) == permanent

    def test_ids_are_as_long_as_configured(self, make: t.Callable[..., flask.Flask]) -> None:
        assert len(make(SESSION_ID_LENGTH=64).test_client().get("/sid").text) == 86
