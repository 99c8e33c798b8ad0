"""The extension points of the interface, overridden in subclasses; settings that change; several applications."""

from __future__ import annotations

import datetime
import gc
import typing as t
import weakref

import flask
import pytest
from flask import session
from flask.sessions import SessionMixin
from typing_extensions import Self

from flask_session_rs import RedisSession
from flask_session_rs import RedisSessionInterface

from ..visits import Answer
from ..visits import new_app
from ..visits import visit
from ..visits import Visitor
from .server import RedisServer
from .steps import Store

LATER = datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc)


def views(app: flask.Flask) -> flask.Flask:
    app.add_url_rule("/set/<int:value>", "set", lambda value: session.update(a=value) or "set")
    app.add_url_rule("/get", "get", lambda: str(session.get("a")))

    @app.get("/out")
    def out() -> str:
        session.clear()
        return "out"

    app.add_url_rule("/untouched", "untouched", lambda: "untouched")
    return app


def app_of(interface: RedisSessionInterface, **config: t.Any) -> flask.Flask:
    return views(new_app(interface, **config))


def cookie(answer: Answer) -> str:
    (line,) = answer.header("Set-Cookie")
    return line


class OwnCookie(RedisSessionInterface):
    """Every hook that describes the cookie."""

    def get_cookie_name(self, app: flask.Flask) -> str:
        return "own"

    def get_cookie_domain(self, app: flask.Flask) -> str | None:
        return "example.com"

    def get_cookie_path(self, app: flask.Flask) -> str:
        return "/own"

    def get_cookie_httponly(self, app: flask.Flask) -> bool:
        return False

    def get_cookie_secure(self, app: flask.Flask) -> bool:
        return True

    def get_cookie_samesite(self, app: flask.Flask) -> str | None:
        return "Strict"

    def get_cookie_partitioned(self, app: flask.Flask) -> bool:
        return True

    def get_expiration_time(
        self, app: flask.Flask, session: SessionMixin
    ) -> datetime.datetime | None:
        return LATER


def test_every_cookie_hook(server: RedisServer) -> None:
    app = app_of(OwnCookie(server.unix_url()))
    visitor = Visitor(app)
    rest = "Domain=example.com; {}Secure; Path=/own; SameSite=Strict; Partitioned"
    line = cookie(visitor.get("/set/1"))
    name, _, attributes = line.partition("; ")
    assert name.startswith("own=")
    assert attributes == rest.format("Expires=Sun, 01 Jan 2040 00:00:00 GMT; ")
    assert visitor.get("/get").body == "1"
    line = cookie(visitor.get("/out"))
    gone = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; "
    assert line == f"own=; {rest.format(gone)}"
    assert Store(server.client).all() == {}


HOOKS: dict[str, tuple[t.Any, str]] = {
    "get_cookie_domain": ("example.com", "Domain=example.com"),
    "get_cookie_path": ("/own", "Path=/own"),
    "get_cookie_secure": (True, "Secure"),
    "get_cookie_samesite": ("Lax", "SameSite=Lax"),
    "get_cookie_partitioned": (True, "Partitioned"),
    "get_cookie_name": ("own", "own="),
    "get_expiration_time": (LATER, "Expires=Sun, 01 Jan 2040"),
}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("where", ["class", "object"])
def test_each_hook_by_itself(server: RedisServer, hook: str, where: str) -> None:
    value, seen = HOOKS[hook]
    interface: t.Any
    if where == "class":
        made = type("Own", (RedisSessionInterface,), {hook: lambda self, *_: value})
        interface = made(server.unix_url())
    else:
        interface = RedisSessionInterface(server.unix_url())
        views(new_app(interface)).test_client().get("/set/1")
        setattr(interface, hook, lambda *_: value)
    app = app_of(interface)
    line = cookie(visit(app, "/set/1"))
    assert seen in line
    plain = cookie(visit(app_of(RedisSessionInterface(server.unix_url())), "/set/1"))
    assert seen not in plain
    # And back again.
    if where == "object":
        delattr(interface, hook)
        assert seen not in cookie(visit(app, "/set/1"))


def test_should_set_cookie(server: RedisServer) -> None:
    asked = []

    class Never(RedisSessionInterface):
        def should_set_cookie(self, app: flask.Flask, session: SessionMixin) -> bool:
            asked.append(dict(session))
            return False

    app = app_of(Never(server.unix_url()))
    assert visit(app, "/set/1").header("Set-Cookie") == []
    assert asked == [{"_permanent": True, "a": 1}]
    # The record is written all the same.
    assert list(Store(server.client).all().values()) == [{"a": 1}]


@pytest.mark.parametrize("refresh", [True, False])
def test_should_set_cookie_of_readers(server: RedisServer, refresh: bool) -> None:
    """Asked where the record is stored or its expiry slid, as by Flask-Session: no cookie outlives its record."""

    class Always(RedisSessionInterface):
        def should_set_cookie(self, app: flask.Flask, session: SessionMixin) -> bool:
            return True

    app = app_of(Always(server.unix_url()), SESSION_REFRESH_EACH_REQUEST=refresh)
    visitor = Visitor(app)
    visitor.get("/set/1")
    assert bool(visitor.get("/get").header("Set-Cookie")) is refresh


class Counting(RedisSession):
    """A session class of the application's own, with an attribute and a method."""

    reads = 0

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.reads = 0

    def read(self, key: str) -> t.Any:
        self.reads += 1
        return self.get(key)


def test_session_class(server: RedisServer) -> None:
    class Own(RedisSessionInterface):
        session_class = Counting

    app = app_of(Own(server.unix_url()))

    @app.get("/read")
    def read() -> str:
        current: t.Any = session
        return f"{current.read('a')} {current.reads}"

    visitor = Visitor(app)
    visitor.get("/set/5")
    assert visitor.get("/read").body == "5 1"


@pytest.mark.parametrize("wrong", [dict, flask.sessions.SecureCookieSession])
def test_a_session_class_that_is_none(server: RedisServer, wrong: type) -> None:
    interface: t.Any = RedisSessionInterface(server.unix_url())
    interface.session_class = wrong
    with pytest.raises(TypeError, match="session_class is a subclass of"):
        app_of(interface, TESTING=True).test_client().get("/get")


def test_open_and_save_that_call_super(server: RedisServer) -> None:
    seen: list[str] = []

    class Own(RedisSessionInterface):
        def open_session(self, app: flask.Flask, request: flask.Request) -> t.Any:
            seen.append("open")
            opened: t.Any = super().open_session(app, request)
            opened["tenant"] = 7
            return opened

        def save_session(
            self, app: flask.Flask, session: SessionMixin, response: flask.Response
        ) -> None:
            seen.append("save")
            session["saved"] = True
            super().save_session(app, session, response)

        def is_null_session(self, obj: object) -> bool:
            seen.append("null?")
            return super().is_null_session(obj)

    app = app_of(Own(server.unix_url()))
    assert visit(app, "/set/1").status == "200 OK"
    assert list(Store(server.client).all().values()) == [{"tenant": 7, "a": 1, "saved": True}]
    assert seen == ["open", "null?", "save"]


@pytest.mark.parametrize("where", ["class", "instance"])
def test_a_null_class_that_all_sessions_are_of(server: RedisServer, where: str) -> None:
    """Flask then asks for none of them to be saved."""

    class Own(RedisSessionInterface):
        pass

    interface = Own(server.unix_url())
    app = app_of(interface)
    assert visit(app, "/set/1").header("Set-Cookie")
    target: t.Any = Own if where == "class" else interface
    target.null_session_class = SessionMixin
    kept = Store(server.client).all()
    assert not visit(app, "/set/1").header("Set-Cookie")
    assert Store(server.client).all() == kept


def test_an_open_that_returns_none(server: RedisServer) -> None:
    class Own(RedisSessionInterface):
        def open_session(self, app: flask.Flask, request: flask.Request) -> t.Any:
            return None

    app = app_of(Own(server.unix_url()))
    app.logger.disabled = True
    assert visit(app, "/get").body == "None"
    assert visit(app, "/set/1").status == "500 INTERNAL SERVER ERROR"


def test_arguments_of_its_own(server: RedisServer) -> None:
    class Own(RedisSessionInterface):
        def __init__(self, tenant: str, *, host: str) -> None:
            super().__init__(host, key_prefix=f"{tenant}:", permanent=False)
            self.tenant = tenant

    interface = Own("seven", host=server.unix_url())
    visit(app_of(interface), "/set/1")
    assert interface.key_prefix == "seven:"
    assert interface.permanent is False
    assert [key.partition(":")[0] for key in server.records()] == ["seven"]


def test_an_init_that_does_not_call_super(server: RedisServer) -> None:
    class Own(RedisSessionInterface):
        def __init__(self) -> None:
            pass

    with pytest.raises(RuntimeError, match="__init__ has not been called"):
        app_of(Own(), TESTING=True).test_client().get("/get")


def test_regenerate_overridden(server: RedisServer) -> None:
    class Own(RedisSessionInterface):
        def regenerate(self, session: RedisSession) -> None:  # type: ignore[override]
            session["regenerated"] = True
            super().regenerate(session)

    app = app_of(Own(server.unix_url()))

    @app.get("/new")
    def new() -> str:
        interface: t.Any = app.session_interface
        interface.regenerate(session)
        return "new"

    visitor = Visitor(app)
    visitor.get("/set/1")
    visitor.get("/new")
    found = Store(server.client).all()
    assert found == {visitor.jar["session"]: {"a": 1, "regenerated": True}}


class TestSettingsThatChange:
    """Between requests, and in the middle of one."""

    CHANGES: t.ClassVar[dict[str, tuple[t.Any, str]]] = {
        "SESSION_COOKIE_NAME": ("other", "other="),
        "SESSION_COOKIE_DOMAIN": ("example.com", "Domain=example.com"),
        "SESSION_COOKIE_PATH": ("/p", "Path=/p"),
        "SESSION_COOKIE_SECURE": (True, "Secure"),
        "SESSION_COOKIE_SAMESITE": ("Lax", "SameSite=Lax"),
        "SESSION_COOKIE_PARTITIONED": (True, "Partitioned"),
        "APPLICATION_ROOT": ("/root", "Path=/root"),
    }

    @pytest.mark.parametrize("name", CHANGES)
    @pytest.mark.parametrize("inside", [False, True])
    def test_of_the_cookie(self, server: RedisServer, name: str, inside: bool) -> None:
        app = app_of(RedisSessionInterface(server.unix_url()))
        value, seen = self.CHANGES[name]

        @app.get("/change")
        def change() -> str:
            session["a"] = 2
            app.config[name] = value
            return "changed"

        visitor = Visitor(app)
        before = app.config[name]
        assert seen not in cookie(visitor.get("/set/1"))
        if not inside:
            app.config[name] = value
        assert seen in cookie(visitor.get("/change" if inside else "/set/3"))
        app.config[name] = before
        assert seen not in cookie(visitor.get("/set/1"))

    def test_of_httponly(self, server: RedisServer) -> None:
        app = app_of(RedisSessionInterface(server.unix_url()))
        assert "HttpOnly" in cookie(visit(app, "/set/1"))
        app.config["SESSION_COOKIE_HTTPONLY"] = False
        assert "HttpOnly" not in cookie(visit(app, "/set/1"))

    def test_of_the_lifetime(self, server: RedisServer) -> None:
        app = app_of(RedisSessionInterface(server.unix_url()))
        visitor = Visitor(app)
        for seconds in (100, 5000, 60, 0):
            app.config["PERMANENT_SESSION_LIFETIME"] = datetime.timedelta(seconds=seconds)
            visitor.get(f"/set/{seconds}")
            (key,) = server.records()
            left: t.Any = server.client.ttl(key)
            assert max(seconds, 1) - 2 < left <= max(seconds, 1)

    def test_of_refresh(self, server: RedisServer) -> None:
        app = app_of(RedisSessionInterface(server.unix_url()))
        visitor = Visitor(app)
        visitor.get("/set/1")
        for refresh in (True, False, True):
            app.config["SESSION_REFRESH_EACH_REQUEST"] = refresh
            with server.commands() as sent:
                assert bool(visitor.get("/untouched").header("Set-Cookie")) == refresh
                assert sent.names() == ["GETEX"] * refresh
            with server.commands() as sent:
                assert bool(visitor.get("/get").header("Set-Cookie")) == refresh
                assert sent.names() == ["GETEX" if refresh else "GET"]

    def test_of_the_secret_key(self, server: RedisServer) -> None:
        app = app_of(RedisSessionInterface(server.unix_url(), use_signer=True), SECRET_KEY="one")
        visitor = Visitor(app)
        visitor.get("/set/1")
        app.config.update(SECRET_KEY="two", SECRET_KEY_FALLBACKS=["one"])
        assert visitor.get("/get").body == "1"
        app.config["SECRET_KEY_FALLBACKS"].clear()
        # The cookie was signed anew with the new key when it was refreshed.
        assert visitor.get("/get").body == "1"
        app.config["SECRET_KEY"] = "three"
        assert visitor.get("/get").body == "None"
        app.config["SECRET_KEY"] = None
        app.logger.disabled = True
        assert visitor.get("/set/1").status == "500 INTERNAL SERVER ERROR"
        assert visitor.get("/untouched").status == "200 OK"


def test_several_applications_with_one_interface(server: RedisServer) -> None:
    """Each has its own settings; the sessions are the same."""
    interface = RedisSessionInterface(server.unix_url())
    apps = [
        app_of(interface, SESSION_COOKIE_NAME=f"app{n}", SESSION_COOKIE_PATH=f"/{n}")
        for n in range(12)
    ]
    visitors = [Visitor(app) for app in apps]
    for turn in range(3):
        for number, visitor in enumerate(visitors):
            line = cookie(visitor.get(f"/set/{number * 10 + turn}"))
            assert line.startswith(f"app{number}=")
            assert f"Path=/{number}" in line
    for number, visitor in enumerate(visitors):
        assert visitor.get("/get").body == str(number * 10 + 2)
    shared = visit(apps[0], "/get", f"app0={visitors[5].jar['app5']}")
    assert shared.body == "52"


def test_a_request_class_with_ways_of_its_own_to_read_cookies(server: RedisServer) -> None:
    class Request(flask.Request):
        @property
        def cookies(self) -> t.Any:
            return {"session": self.headers.get("X-Session", "")}

    app = app_of(RedisSessionInterface(server.unix_url()))
    app.request_class = Request
    sid = cookie(visit(app, "/set/5")).partition(";")[0].removeprefix("session=")
    assert visit(app, "/get", f"session={sid}").body == "None"
    assert visit(app, "/get", HTTP_X_SESSION=sid).body == "5"
    assert visit(app, "/untouched", HTTP_X_SESSION=sid).header("Set-Cookie")


def test_a_response_class_with_ways_of_its_own_to_set_cookies(server: RedisServer) -> None:
    set_, deleted = [], []

    class Response(flask.Response):
        def set_cookie(self, key: str, value: str = "", *args: t.Any, **more: t.Any) -> None:
            set_.append((key, value))
            super().set_cookie(key, value, *args, **more)

        def delete_cookie(self, key: str, *args: t.Any, **more: t.Any) -> None:
            deleted.append(key)
            super().delete_cookie(key, *args, **more)

    app = app_of(RedisSessionInterface(server.unix_url()))
    app.response_class = Response
    visitor = Visitor(app)
    visitor.get("/set/1")
    sid = visitor.jar["session"]
    assert set_ == [("session", sid)]
    visitor.get("/untouched")
    assert set_ == [("session", sid)] * 2
    answer = visitor.get("/out")
    assert deleted == ["session"]
    assert "Cookie" in answer.header("Vary")[0]


def test_vary_of_a_response_class(server: RedisServer) -> None:
    class Response(flask.Response):
        @property
        def vary(self) -> t.Any:
            self.headers["X-Varied"] = "yes"
            return super().vary

    app = app_of(RedisSessionInterface(server.unix_url()))
    app.response_class = Response
    assert visit(app, "/set/1").header("X-Varied") == ["yes"]


class Pooled(RedisSession):
    """A class that gives the same object whenever it is called."""

    one: t.ClassVar[t.Any] = None

    def __new__(cls, *args: t.Any, **kwargs: t.Any) -> Self:
        cls.one = cls.one or super().__new__(cls)
        made: Self = cls.one
        return made


def test_a_session_object_serves_one_request(server: RedisServer) -> None:
    """What one user's request put into it is never another's."""
    Pooled.one = None
    interface = RedisSessionInterface(server.unix_url())
    interface.session_class = Pooled
    app = app_of(interface)
    app.testing = True
    assert visit(app, "/set/1").body == "set"
    with pytest.raises(TypeError, match="session_class gave a session that is in use already"):
        visit(app, "/get")


class OwnModified(RedisSession):
    """As applications write it that want to know of changes."""

    changes = 0

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "modified" and value:
            super().__setattr__("changes", self.changes + 1)


def test_a_session_class_hears_of_changes(server: RedisServer) -> None:
    interface = RedisSessionInterface(server.unix_url())
    interface.session_class = OwnModified
    app = app_of(interface)
    app.add_url_rule("/changes", "changes", lambda: str(session.changes))  # type: ignore[attr-defined]

    @app.get("/regenerated")
    def regenerated() -> str:
        session["b"] = 1
        session.regenerate()  # type: ignore[attr-defined]
        return str(session.changes)  # type: ignore[attr-defined]

    visitor = Visitor(app)
    assert visitor.get("/changes").body == "0"
    assert visitor.get("/regenerated").body == "2"
    assert visitor.get("/set/3").body == "set"
    assert visitor.get("/get").body == "3"


def told_its_app(interface: RedisSessionInterface) -> flask.Flask:
    app = app_of(interface)
    interface.app = app  # type: ignore[attr-defined]
    return app


def keeps_its_last_session(interface: RedisSessionInterface) -> flask.Flask:
    app = app_of(interface)

    @app.after_request
    def keep(response: flask.Response) -> flask.Response:
        interface.last = session._get_current_object()  # type: ignore[attr-defined]
        return response

    return app


def of_a_class_that_knows_the_app(given: RedisSessionInterface) -> flask.Flask:
    class Interface(RedisSessionInterface):
        def get_cookie_domain(self, app: flask.Flask) -> str | None:
            domain: str | None = made.config["SESSION_COOKIE_DOMAIN"]
            return domain

    made = app_of(Interface(given.url))  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(
    "make", [told_its_app, keeps_its_last_session, of_a_class_that_knows_the_app]
)
def test_applications_are_collected(
    server: RedisServer, make: t.Callable[[RedisSessionInterface], flask.Flask]
) -> None:
    """With the interface go its connections."""

    def visited() -> list[weakref.ref[t.Any]]:
        interface = RedisSessionInterface(server.unix_url())
        interface.url = server.unix_url()  # type: ignore[attr-defined]
        app = make(interface)
        visitor = Visitor(app)
        for path in ("/set/1", "/get", "/untouched"):
            assert visitor.get(path).status == "200 OK"
        return [weakref.ref(app), weakref.ref(app.session_interface)]

    things = [thing for _ in range(3) for thing in visited()]
    gc.collect()
    gc.collect()
    assert not [thing() for thing in things if thing() is not None]
