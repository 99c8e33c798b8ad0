"""What a session costs a request: reads a clock around each call of the session interface."""

from __future__ import annotations

from collections import deque
from statistics import median
from time import perf_counter_ns
from typing import NamedTuple
from typing import TYPE_CHECKING

from flask import Flask
from flask import g
from flask import Request
from flask import request
from flask import Response
from flask import session
from flask.sessions import SessionInterface
from flask.sessions import SessionMixin

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Cost(NamedTuple):
    """Microseconds spent on one session."""

    open: float
    #: The first access from the request: a lazy session verifies and decodes its cookie here.
    use: float
    save: float

    @property
    def total(self) -> float:
        return self.open + self.use + self.save


class Meter(SessionInterface):
    """Passes every call on to `inner`, and keeps what the last few requests cost."""

    def __init__(self, inner: SessionInterface) -> None:
        self.inner = inner
        self.recent: deque[tuple[str, Cost]] = deque(maxlen=6)

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        start = perf_counter_ns()
        opened = self.inner.open_session(app, request)
        g.session_open_us = (perf_counter_ns() - start) / 1000
        return opened

    def time_first_use(self) -> None:
        start = perf_counter_ns()
        bool(session)
        g.session_use_us = (perf_counter_ns() - start) / 1000

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        start = perf_counter_ns()
        self.inner.save_session(app, session, response)
        save = (perf_counter_ns() - start) / 1000
        cost = Cost(g.session_open_us, g.get("session_use_us", 0.0), save)
        self.recent.append((f"{request.method} {request.path}", cost))

    def make_null_session(self, app: Flask) -> SessionMixin:  # type: ignore[override]
        return self.inner.make_null_session(app)

    def is_null_session(self, obj: object) -> bool:
        return self.inner.is_null_session(obj)

    def get_cookie_name(self, app: Flask) -> str:
        return self.inner.get_cookie_name(app)


def cost_of(
    interface: SessionInterface, app: Flask, environ: WSGIEnvironment, runs: int = 200
) -> Cost:
    """The median cost of a request that brings this session and changes it, without the request."""
    costs = []
    for _ in range(runs):
        # A request keeps the cookies it has parsed: each run gets a new one, as each visit does.
        request = app.request_class(environ.copy())
        response = app.response_class()
        start = perf_counter_ns()
        opened = interface.open_session(app, request)
        after_open = perf_counter_ns()
        assert opened is not None
        opened.accessed = True
        bool(opened)
        after_use = perf_counter_ns()
        opened.modified = True
        interface.save_session(app, opened, response)
        end = perf_counter_ns()
        costs.append((after_open - start, after_use - after_open, end - after_use))
    return Cost(*(median(part) / 1000 for part in zip(*costs, strict=True)))
