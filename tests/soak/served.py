"""The application of the soak, and gunicorn with several workers of several threads that serves it."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import flask
from flask import session

from flask_session_rs import RedisSessionInterface
from flask_session_rs import SessionStoreError

from ..processes import end

if t.TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
THREADS = 6
#: Seconds that a store operation may take: short, so that an outage costs each visitor few of its visits.
TIMEOUT = 0.5
#: Whose something is: each value in a session says it.
TAG = re.compile(r"<owner (\d+)>")


def summary(content: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The number of the write that each key is from, and the owners of all that is in there."""
    held: dict[str, int] = {}
    owners: set[int] = set()
    for key, value in content.items():
        if key != "_permanent":
            text = value["in"] if isinstance(value, dict) else value
            held[key] = int(text.partition(" ")[0])
            owners.update(map(int, TAG.findall(text)))
    return {"held": held, "owners": sorted(owners)}


def _write(key: str, value: str) -> None:
    session[key] = value


def _nested(key: str, value: str) -> None:
    """A change that the session's own methods do not see."""
    if key in session:
        session[key]["in"] = value
    else:
        session[key] = {"in": value}


def _drop(key: str, value: str) -> None:
    session.pop(key, None)
    session["last"] = value


def _login(key: str, value: str) -> None:
    session.clear()
    session[key] = value
    t.cast(t.Any, session).regenerate()


def _refill(key: str, value: str) -> None:
    """A login of an application that does not regenerate."""
    session.clear()
    session[key] = value


def _regenerate(key: str, value: str) -> None:
    session[key] = value
    t.cast(t.Any, session).regenerate()


ACTIONS: dict[str, t.Callable[[str, str], object]] = {
    "read": lambda key, value: None,
    "write": _write,
    "nested": _nested,
    "drop": _drop,
    "login": _login,
    "refill": _refill,
    "regenerate": _regenerate,
    "logout": lambda key, value: session.clear(),
}


def create_app() -> flask.Flask:
    """What gunicorn serves."""
    app = flask.Flask("soak")
    app.secret_key = "a key"
    app.session_interface = RedisSessionInterface(os.environ["SOAK_REDIS"], timeout=TIMEOUT)
    # A failed save is logged with its trace, some hundred times a minute.
    app.logger.disabled = True

    @app.get("/do/<action>/<key>/<int:owner>/<int:number>/<int:size>")
    def do(action: str, key: str, owner: int, number: int, size: int) -> dict[str, t.Any]:
        """Acts on the session; says what was in it before."""
        before = summary(session)
        ACTIONS[action](key, f"{number} " + f"<owner {owner}>" * size)
        # So that requests of one session that are sent together are under way together.
        time.sleep(flask.request.args.get("wait", 0.0, float))
        return before

    @app.get("/untouched")
    def untouched() -> str:
        return "untouched"

    @app.errorhandler(500)
    def failed(error: t.Any) -> tuple[str, int]:
        """Tells a save that failed, which Flask answers with 500, from anything else."""
        original = getattr(error, "original_exception", None)
        return ("store" if isinstance(original, SessionStoreError) else repr(original)), 500

    @app.after_request
    def say_who(response: flask.Response) -> flask.Response:
        response.headers["X-Worker"] = str(os.getpid())
        return response

    return app


class Served(contextlib.AbstractContextManager["Served"]):
    """The application behind gunicorn, until the context is left."""

    def __init__(self, redis_url: str) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
            self.port: int = listener.getsockname()[1]
            # Inherited by what it accepts: no head waits for an acknowledgement.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            command = (
                f"gunicorn --bind fd://{listener.fileno()} --workers {WORKERS}"
                f" --worker-class gthread --threads {THREADS} --keep-alive 60"
                " --no-control-socket --log-level warning"
            )
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command.split(), "tests.soak.served:create_app()"],
                cwd=ROOT,
                env=os.environ | {"SOAK_REDIS": redis_url},
                pass_fds=[listener.fileno()],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end(self.process, 15)
