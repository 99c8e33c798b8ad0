"""The other doors to a session: test contexts, transactions, streams, threads, extensions."""

import threading
from collections.abc import Iterator
from typing import Any

import flask
import flask_login  # type: ignore[import-untyped]
import pytest
from flask import session
from flask.globals import request_ctx
from flask.sessions import SecureCookieSessionInterface

from .clock import Clock
from .describe import describe
from .flavours import BOTH
from .flavours import Flavour
from .views import session_app
from .visits import run
from .visits import Step
from .visits import Visitor

pytestmark = pytest.mark.usefixtures("clock", "plain")


@pytest.fixture
def app(interface: SecureCookieSessionInterface) -> flask.Flask:
    return session_app(interface, TESTING=True)


def test_session_transaction(app: flask.Flask) -> None:
    client = app.test_client()
    with client.session_transaction() as opened:
        assert not opened
        opened["count"] = 41
    with client.session_transaction() as opened:
        assert dict(opened) == {"count": 41}
        assert not opened.modified
        assert not opened.accessed
    assert client.get("/write").text == "done"
    with client.session_transaction() as opened:
        assert opened == {"count": 42}
        opened.clear()
    assert client.get_cookie("session") is None


def test_session_transaction_with_arguments(app: flask.Flask) -> None:
    app.config.update(SESSION_COOKIE_PATH="/in", SESSION_COOKIE_DOMAIN="example.com")
    client = app.test_client()
    with client.session_transaction("/in", base_url="https://example.com") as opened:
        opened["a"] = 1
    assert client.get_cookie("session", domain="example.com", path="/in") is not None


def test_session_transaction_inside_a_request(app: flask.Flask) -> None:
    with app.test_client() as client:
        client.get("/write")
        assert session["count"] == 1
        with client.session_transaction() as opened:
            opened["count"] = 5
        assert session["count"] == 1
        client.get("/write")
        assert session["count"] == 6


def test_cookies_disabled(app: flask.Flask) -> None:
    client = app.test_client(use_cookies=False)
    with pytest.raises(TypeError, match="Cookies are disabled"), client.session_transaction():
        pass


def test_test_request_context(app: flask.Flask) -> None:
    visitor = Visitor(app)
    visitor.get("/write")
    with app.test_request_context("/", headers={"Cookie": visitor.cookie or ""}):
        assert session["count"] == 1
        session["count"] = 2
        assert session.modified
        response = app.process_response(flask.Response())
        assert "session=" in response.headers["Set-Cookie"]


def test_the_same_object_until_the_end(app: flask.Flask) -> None:
    with app.test_request_context("/"):
        first = request_ctx.session
        with request_ctx.copy():
            assert request_ctx.session is first
        assert request_ctx.session is first


def test_accessed_is_set_by_the_context_only(app: flask.Flask) -> None:
    with app.test_request_context("/"):
        private = request_ctx._session
        assert private is not None
        assert private.get("a") is None
        assert not private.accessed
        assert request_ctx.session is private
        assert private.accessed


def stream(app: flask.Flask) -> None:
    @app.get("/stream")
    def stream_view() -> flask.Response:
        def generate() -> Iterator[str]:
            yield str(session.get("count"))
            yield "; "
            session["late"] = 1
            yield describe(dict(session))

        return flask.Response(flask.stream_with_context(generate()))

    @app.get("/stream-touched")
    def stream_touched_view() -> flask.Response:
        session["early"] = 1

        @flask.stream_with_context
        def generate() -> Iterator[str]:
            yield describe(dict(session))

        generator: Any = generate
        return flask.Response(generator())


def hooks(app: flask.Flask) -> None:
    app.before_request(lambda: session.setdefault("before", 1) and None)

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        session["after"] = session.get("after", 0) + 1
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        session["torn"] = 1


def after_this_request(app: flask.Flask) -> None:
    @app.get("/deferred")
    def deferred() -> str:
        @flask.after_this_request
        def late(response: flask.Response) -> flask.Response:
            session["deferred"] = True
            return response

        return "deferred"


def private(app: flask.Flask) -> None:
    """Reads behind the back of the context, as an extension might."""

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        current = request_ctx._session
        assert current is not None
        response.headers["X-Session"] = f"{len(current)} {bool(current)} {'count' in current}"
        return response


def error_handlers(app: flask.Flask) -> None:
    @app.errorhandler(404)
    @app.errorhandler(500)
    def handler(error: Exception) -> tuple[str, int]:
        session["handled"] = session.get("handled", 0) + 1
        return describe(dict(session)), 400


def converters(app: flask.Flask) -> None:
    """The session is open before the URL is matched."""
    from werkzeug.routing import BaseConverter

    class FromSession(BaseConverter):
        def to_python(self, value: str) -> Any:
            return f"{value} {session.get('count')}"

    app.url_map.converters["from_session"] = FromSession
    app.add_url_rule("/converted/<from_session:x>", "converted", lambda x: x)


def async_views(app: flask.Flask) -> None:
    @app.get("/async")
    async def view() -> str:
        session["async"] = 1
        return describe(dict(session))


def replaced_response(app: flask.Flask) -> None:
    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        return flask.Response(f"replaced {response.status}", headers={"Vary": "Accept"})


SETUPS = (
    stream, hooks, after_this_request, private, error_handlers, converters, async_views,
    replaced_response,
)  # fmt: skip
PATHS: tuple[Step, ...] = (
    "/untouched", "/stream", "/write", "/untouched", "/stream", "/stream-touched", "/read",
    "/deferred", "/fail", "/nowhere/at/all", "/converted/a", "/async", "/permanent", "/untouched",
    "/stream", "/fail_untouched", "/write_and_empty", "/untouched",
)  # fmt: skip


@pytest.mark.parametrize("setup", SETUPS)
def test_around_the_view(setup: Any) -> None:
    def answers(flavour: Flavour) -> Any:
        app = session_app(flavour.interface())
        setup(app)
        return run(app, PATHS)

    stock, native = map(answers, BOTH)
    assert native == stock
    assert stock != run(session_app(BOTH[0].interface()), PATHS)


def test_copy_current_request_context(interface: SecureCookieSessionInterface) -> None:
    app = session_app(interface)

    @app.get("/thread")
    def threaded() -> str:
        seen: list[Any] = []

        @flask.copy_current_request_context
        def work() -> None:
            seen.append(session["count"])
            session["from the thread"] = True

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return describe(seen)

    visitor = Visitor(app)
    run(app, ["/write"], visitor)
    answer = visitor.get("/thread")
    assert answer.body == "list[int 1]"
    assert "from the thread" in visitor.get("/read").body


class User(flask_login.UserMixin):  # type: ignore[misc]
    id = "7"


def login_app(flavour: Flavour, protection: str | None) -> flask.Flask:
    app = session_app(flavour.interface())
    manager = flask_login.LoginManager(app)
    manager.session_protection = protection
    manager.user_loader(lambda name: User() if name == "7" else None)
    app.add_url_rule("/in", "in", lambda: str(flask_login.login_user(User())))
    app.add_url_rule("/out", "out", lambda: str(flask_login.logout_user()))
    app.add_url_rule(
        "/who",
        "who",
        lambda: f"{flask_login.current_user.is_authenticated} {flask_login.login_fresh()}",
    )
    secret = flask_login.login_required(lambda: "secret")
    app.add_url_rule("/secret", "secret", secret)
    return app


@pytest.mark.parametrize("protection", ["basic", "strong", None])
def test_flask_login(protection: str | None, clock: Clock) -> None:
    def answers(flavour: Flavour) -> Any:
        visitor = Visitor(login_app(flavour, protection))
        paths = (
            "/untouched", "/secret", "/in", "/who", "/secret", "/untouched", "/flash", "/flashed",
            "/permanent", "/untouched", "/out", "/secret", "/who", "/in",
        )  # fmt: skip
        first = [visitor.get(path) for path in paths]
        elsewhere = [visitor.get(p, HTTP_USER_AGENT="another") for p in ("/who", "/secret")]
        return first + elsewhere

    stock, native = map(answers, BOTH)
    assert native == stock
    assert [a.body for a in native if a.body == "secret"] != []
