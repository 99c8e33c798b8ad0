"""Requests to an application, with everything that comes back, so that two runs can be compared."""

import logging
import warnings
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

import flask
from flask.sessions import SessionInterface
from werkzeug.test import create_environ


class Answer(NamedTuple):
    """All that a client and an operator see of one request."""

    status: str
    headers: list[tuple[str, str]]
    body: str
    warned: list[tuple[str, str]]
    logged: list[str]

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.lines.append(f"{record.levelname} {record.getMessage()} {error!r}")


def visit(app: flask.Flask, path: str = "/", cookie: str | None = None, **environ: Any) -> Answer:
    """One request at the level of WSGI; `cookie` is the Cookie header as it comes off the wire."""
    wsgi_environ = create_environ(path, environ_overrides=environ)
    if cookie is not None:
        wsgi_environ["HTTP_COOKIE"] = cookie
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        started.append((status, list(headers)))
        return lambda data: None

    records = _Records()
    app.logger.addHandler(records)
    app.logger.propagate = False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            chunks = app.wsgi_app(wsgi_environ, start_response)
            body = b"".join(chunks).decode()
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
    finally:
        app.logger.removeHandler(records)
    status, headers = started[-1]
    warned = [(w.category.__name__, str(w.message)) for w in caught]
    return Answer(status, headers, body, warned, records.lines)


class Visitor:
    """A browser that keeps every cookie, whatever its domain, its path and its name."""

    def __init__(self, app: flask.Flask) -> None:
        self.app = app
        self.jar: dict[str, str] = {}

    @property
    def cookie(self) -> str | None:
        return "; ".join(f"{name}={value}" for name, value in self.jar.items()) or None

    def get(self, path: str, **environ: Any) -> Answer:
        answer = visit(self.app, path, self.cookie, **environ)
        for line in answer.header("Set-Cookie"):
            name, _, rest = line.partition("=")
            value, *attributes = rest.split("; ")
            if "Max-Age=0" in attributes:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return answer


Step = str | Callable[[flask.Flask], object]


def run(app: flask.Flask, steps: Iterable[Step], visitor: Visitor | None = None) -> list[Answer]:
    """Visit the paths in turn with one browser; call what is not a path."""
    visitor = visitor or Visitor(app)
    answers = []
    for step in steps:
        if isinstance(step, str):
            answers.append(visitor.get(step))
        else:
            step(app)
    return answers


def new_app(interface: SessionInterface | None, /, **config: Any) -> flask.Flask:
    """An application with a secret key and without views."""
    app = flask.Flask("visited")
    app.config.update({"SECRET_KEY": "a key", **config})
    if interface is not None:
        app.session_interface = interface
    return app
