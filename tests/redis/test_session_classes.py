"""Session classes and hooks of the application's own decide on sessions in Redis as they do with Flask-Session."""

from __future__ import annotations

import datetime
import typing as t

import flask
import pytest
from flask import session

from flask_session_rs import RedisSessionInterface
from flask_session_rs import SessionStoreUnavailable

from ..opened import OwnModified
from ..visits import Answer
from ..visits import visit
from ..visits import Visitor
from .apps import stored_app
from .flavours import BOTH
from .flavours import Flavour
from .flavours import NATIVE
from .server import RedisServer
from .steps import Store

PATHS = ("/untouched", "/set/a/1", "/set/a/2", "/untouched", "/read", "/set/csrf/1", "/drop/a", "/set/b/1",
         "/logout", "/read", "/untouched", "/set/a/3", "/permanent", "/read")  # fmt: skip


def subclass(base: t.Any, name: str) -> t.Any:
    class Modified(base):  # type: ignore[misc]
        modified = False

    class AlwaysModified(base):  # type: ignore[misc]
        modified = True

    class Flags(base):  # type: ignore[misc]
        modified = accessed = False

    class ModifiedProperty(OwnModified, base):  # type: ignore[misc]
        pass

    class Permanent(base):  # type: ignore[misc]
        permanent = property(lambda self: True, base.permanent.fset)

    class Token(base):  # type: ignore[misc]
        def __bool__(self) -> bool:
            return any(key not in ("_permanent", "csrf") for key in self)

    made: t.Any = {name: cls for name, cls in locals().items() if name[0].isupper()}[name]
    return made


def shape(answer: Answer) -> tuple[t.Any, ...]:
    """All but the id and the attributes that Flask-Session forgets when it deletes a cookie."""
    cookies = []
    for line in answer.header("Set-Cookie"):
        pair, *attributes = line.split("; ")
        deleted = "Max-Age=0" in attributes
        cookies.append((pair == "session=", None if deleted else attributes))
    return answer.status, answer.body, cookies, answer.header("Vary")


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("permanent", [True, False])
@pytest.mark.parametrize(
    "name", ["Modified", "AlwaysModified", "Flags", "ModifiedProperty", "Permanent", "Token"]
)
def test_session_classes(name: str, permanent: bool, refresh: bool, server: RedisServer) -> None:
    def seen(flavour: Flavour) -> list[t.Any]:
        server.flush()
        store = Store(server.client)
        app = stored_app(
            flavour,
            server.unix_url(),
            {"permanent": permanent},
            SESSION_REFRESH_EACH_REQUEST=refresh,
        )
        interface: t.Any = app.session_interface
        interface.session_class = subclass(interface.session_class, name)
        visitor = Visitor(app)
        return [(path, shape(visitor.get(path)), list(store.all().values())) for path in PATHS]

    stock, native = map(seen, BOTH)
    assert native == stock


def overridden(interface: t.Any, name: str) -> None:
    """Sets a hook on the interface."""

    def not_for_the_api(app: flask.Flask, session: t.Any) -> bool:
        shipped: bool = type(interface).should_set_cookie(interface, app, session)
        return shipped and not flask.request.path.startswith("/untouched")

    def always(app: flask.Flask, session: t.Any) -> bool:
        return True

    def by_the_session(app: flask.Flask, session: t.Any) -> t.Any:
        years = session.get("a", 0)
        return datetime.datetime(2040 + years, 1, 1, tzinfo=datetime.timezone.utc)

    hook = {
        "not for the API": ("should_set_cookie", not_for_the_api),
        "always": ("should_set_cookie", always),
        "expiry by the session": ("get_expiration_time", by_the_session),
        "SameSite": ("get_cookie_samesite", lambda app: "Strict"),
    }[name]
    setattr(interface, *hook)


HOOKS = ("not for the API", "always", "expiry by the session", "SameSite")


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("permanent", [True, False])
@pytest.mark.parametrize("name", HOOKS)
def test_hooks_of_untouched_sessions(
    name: str, permanent: bool, refresh: bool, server: RedisServer
) -> None:
    def seen(flavour: Flavour) -> list[t.Any]:
        server.flush()
        app = stored_app(
            flavour,
            server.unix_url(),
            {"permanent": permanent},
            SESSION_REFRESH_EACH_REQUEST=refresh,
        )
        overridden(app.session_interface, name)
        visitor = Visitor(app)
        return [(path, shape(visitor.get(path))) for path in PATHS]

    stock, native = map(seen, BOTH)
    assert native == stock


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_cost_no_further_round_trip(name: str, server: RedisServer) -> None:
    app = stored_app(NATIVE, server.unix_url())
    overridden(app.session_interface, name)
    visitor = Visitor(app)
    visitor.get("/set/a/1")
    with server.commands() as commands:
        assert visitor.get("/untouched").status == "200 OK"
        assert commands.names() == ["GETEX"]


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_of_untouched_sessions_in_an_outage(name: str, own_server: RedisServer) -> None:
    """A view that does not use its session needs no store, whoever decides about its cookie."""
    app = stored_app(NATIVE, own_server.unix_url())
    overridden(app.session_interface, name)
    visitor = Visitor(app)
    visitor.get("/set/a/1")
    own_server.stop()
    answer = visitor.get("/untouched")
    assert answer.status == "200 OK"
    assert not answer.header("Set-Cookie")


def ttl(server: RedisServer) -> int:
    (key,) = t.cast("list[bytes]", server.client.keys("session:*"))
    seconds: t.Any = server.client.ttl(key)
    return int(seconds)


@pytest.mark.parametrize("path", ["/read", "/untouched", "/set/a/2"])
@pytest.mark.parametrize("change", ["lifetime", "refresh"])
def test_a_record_lives_as_long_as_its_cookie(change: str, path: str, server: RedisServer) -> None:
    """Also where the settings change within the request that is answered."""

    def seen(flavour: Flavour) -> int:
        server.flush()
        app = stored_app(
            flavour, server.unix_url(), PERMANENT_SESSION_LIFETIME=1000,
            SESSION_REFRESH_EACH_REQUEST=change != "refresh",
        )  # fmt: skip
        due: list[bool] = []

        @app.before_request
        def meanwhile() -> None:
            if due:
                app.config["PERMANENT_SESSION_LIFETIME"] = 5000
                app.config["SESSION_REFRESH_EACH_REQUEST"] = True

        visitor = Visitor(app)
        visitor.get("/set/a/1")
        due.append(True)
        assert visitor.get(path).header("Set-Cookie")
        return ttl(server)

    stock, native = map(seen, BOTH)
    assert abs(native - 5000) < 5
    assert abs(stock - native) < 5


class OfTheRequest(flask.Flask):
    """Each request has a lifetime of its own."""

    @property
    def permanent_session_lifetime(self) -> datetime.timedelta:  # type: ignore[override]
        return datetime.timedelta(seconds=getattr(flask.g, "lifetime", 1000))


@pytest.mark.parametrize("path", ["/read", "/untouched", "/write"])
def test_a_lifetime_of_the_request(path: str, server: RedisServer) -> None:
    app = OfTheRequest("lifetimes")
    app.secret_key = "a key"
    app.session_interface = RedisSessionInterface(server.unix_url())
    app.add_url_rule("/read", "read", lambda: str(session.get("a")))
    app.add_url_rule("/write", "write", lambda: session.update(a=session.get("a", 0) + 1) or "")
    app.add_url_rule("/untouched", "untouched", lambda: "")

    @app.before_request
    def lifetime() -> None:
        flask.g.lifetime = int(flask.request.args.get("lifetime", 100))

    visitor = Visitor(app)
    visitor.get("/write")
    assert visitor.get(f"{path}?lifetime=7000").header("Set-Cookie")
    assert 6990 < ttl(server) <= 7000


def swallowing_app(server: RedisServer) -> flask.Flask:
    app = stored_app(NATIVE, server.unix_url(), {"timeout": 0.3})

    @app.before_request
    def guard() -> None:
        if "down" in flask.request.args:
            server.pause()
        try:
            session.get("user")
        except Exception:
            pass
        finally:
            if "down" in flask.request.args:
                server.resume()

    return app


def test_what_is_put_into_a_session_that_was_not_loaded(own_server: RedisServer) -> None:
    """It is not saved, and so no response says that it was."""
    app = swallowing_app(own_server)
    visitor = Visitor(app)
    visitor.get("/set/a/1")
    assert visitor.get("/untouched?down").status == "200 OK"
    answer = visitor.get("/set/a/2?down")
    assert answer.status.startswith("500")
    assert "what the request put into it is not saved" in answer.logged[-1]
    assert not answer.header("Set-Cookie")
    assert visitor.get("/read").body == "dict{str '_permanent': bool True, str 'a': int 1}"
    app.testing = True
    with pytest.raises(SessionStoreUnavailable):
        visit(app, "/set/a/2?down", visitor.cookie)


def test_an_error_page_may_flash(own_server: RedisServer) -> None:
    """It speaks of the failure: nobody takes it for success."""
    app = stored_app(NATIVE, own_server.unix_url())

    @app.errorhandler(SessionStoreUnavailable)
    def page(error: SessionStoreUnavailable) -> tuple[str, int]:
        flask.flash("sorry")
        return "a page of ours", 503

    visitor = Visitor(app)
    visitor.get("/set/a/1")
    own_server.stop()
    answer = visitor.get("/read")
    assert (answer.status, answer.body) == ("503 SERVICE UNAVAILABLE", "a page of ours")
