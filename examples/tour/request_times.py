"""How long requests take with no session, with Flask's and with ours."""

from __future__ import annotations

import http.client
import itertools
import secrets
from collections.abc import Callable
from collections.abc import Sequence
from statistics import median
from time import perf_counter_ns
from urllib.parse import urlsplit

from flask import Flask
from flask import Request
from flask import Response
from flask import session
from flask.sessions import SecureCookieSession
from flask.sessions import SecureCookieSessionInterface as FlaskInterface
from flask.sessions import SessionInterface
from flask.sessions import SessionMixin
from werkzeug.test import EnvironBuilder

from flask_session_rs import SecureCookieSessionInterface

from .browser import Browser
from .report import Report
from .server import Server

# About 250 bytes of JSON: a logged-in visitor with a token against forged forms and a small cart.
CONTENT: dict[str, object] = {
    "_user_id": "4182",
    "_id": "9f2c51d07be84a6c" * 4,
    "_fresh": True,
    "csrf_token": "7d1b0c93e55f4820" * 3,
    "cart": {"tea": 2, "honey": 1},
    "locale": "en_GB",
}
ROUNDS = 1500
HTTP_ROUNDS = 400


class NoSession(SessionInterface):
    """Does nothing: what is left is the request itself."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        return SecureCookieSession()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        pass


def request_times(report: Report) -> None:
    report.part("Request times")
    report.step("The same request three times in turn, without a server in between: medians")
    in_process(report)
    report.step("The shop's first page over HTTP, the template and the server included: medians")
    over_http(report)


def in_process(report: Report) -> None:
    apps = [
        application(interface)
        for interface in (NoSession(), FlaskInterface(), SecureCookieSessionInterface())
    ]
    rows = []
    for name, path, content in (
        ("session ignored", "/ignored", CONTENT),
        ("read", "/read", CONTENT),
        ("changed", "/changed", CONTENT),
        ("read, permanent", "/read", CONTENT | {"_permanent": True}),
    ):
        medians = interleaved([wsgi_request(app, path, content) for app in apps], ROUNDS)
        bare, flask, ours = medians
        rows.append((name, *map(us, (*medians, flask - bare, ours - bare))))
    report.table(("us", "no session", "Flask", "ours", "Flask's session", "our session"), rows)


def over_http(report: Report) -> None:
    settings = {"SECRET_KEY": secrets.token_urlsafe()}
    with (
        Server("flask", settings) as stock,
        Server("flask_session_rs", settings) as ours,
    ):
        browser = Browser()
        browser.post(f"{ours.url}/login", name="Visitor", remember="on")
        browser.post(f"{ours.url}/cart", name="tea")
        browser.get(ours.url)
        visits = [http_request(server.url, f"session={browser.cookie}") for server in (stock, ours)]
        flask_us, ours_us = interleaved(visits, HTTP_ROUNDS)
    row = ("shop, first page", *map(us, (flask_us, ours_us, flask_us - ours_us)))
    report.table(("us", "Flask", "ours", "difference"), [row])


def interleaved(calls: Sequence[Callable[[], None]], rounds: int) -> list[float]:
    """The median of each call, in microseconds; in turn, so that a busy moment hits all of them."""
    times: list[list[int]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, kept in zip(calls, times, strict=True):
            start = perf_counter_ns()
            call()
            kept.append(perf_counter_ns() - start)
    return [median(kept) / 1000 for kept in times]


def application(interface: SessionInterface) -> Flask:
    app = Flask(__name__)
    app.secret_key = "the same for every interface"
    app.session_interface = interface

    @app.get("/ignored")
    def ignored() -> str:
        return "ok"

    @app.get("/read")
    def read() -> str:
        return str(session.get("_user_id"))

    # What is there already would be no change to a session that compares.
    locales = itertools.cycle(("de_DE", "fr_FR"))

    @app.get("/changed")
    def changed() -> str:
        session["locale"] = next(locales)
        return "ok"

    return app


def wsgi_request(app: Flask, path: str, content: dict[str, object]) -> Callable[[], None]:
    serializer = FlaskInterface().get_signing_serializer(app)
    assert serializer is not None
    with app.app_context():
        cookie = serializer.dumps(content)
    return wsgi_request_with(app, path, f"session={cookie!s}")


def wsgi_request_with(app: Flask, path: str, cookie: str) -> Callable[[], None]:
    environ = EnvironBuilder(path).get_environ() | {"HTTP_COOKIE": cookie}

    def start_response(status: str, *_: object) -> Callable[[bytes], object]:
        assert status == "200 OK"
        return bytes

    def call() -> None:
        answer = app.wsgi_app(environ.copy(), start_response)
        for _ in answer:
            pass
        answer.close()  # type: ignore[attr-defined]

    return call


def http_request(url: str, cookie: str) -> Callable[[], None]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)

    def call() -> None:
        connection.request("GET", "/", headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200

    return call


def us(microseconds: float) -> str:
    return f"{microseconds:.1f}"
