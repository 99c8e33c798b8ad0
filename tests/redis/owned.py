"""Views whose sessions say whose they are, and visits that see to it that nobody gets another's."""

from __future__ import annotations

import os
import random

import flask
from flask import session

from ..visits import visit


def add_views(app: flask.Flask) -> flask.Flask:
    @app.get("/own/<owner>")
    def own(owner: str) -> str:
        """Reads and writes; says whose everything is that is in there, and which process served it."""
        session.setdefault("owner", owner)
        session["count"] = session.get("count", 0) + 1
        text = "".join({*session.get("text", owner).split(",")})
        session["text"] = ",".join([owner] * random.randrange(1, 4000))
        return f"{session['owner']} {text} {session['count']} {os.getpid()}"

    return app


class Owner:
    """A user, whose session no one else may see, and who sees no one else's."""

    def __init__(self, app: flask.Flask, name: str) -> None:
        self.app = app
        self.name = name
        self.count = 0
        self.cookie: str | None = None

    def visit(self) -> None:
        answer = visit(self.app, f"/own/{self.name}", self.cookie)
        assert answer.status == "200 OK", answer
        self.count += 1
        assert answer.body == f"{self.name} {self.name} {self.count} {os.getpid()}", answer.body[
            :200
        ]
        self.cookie = answer.header("Set-Cookie")[0].partition(";")[0]
