"""A pytest plugin: every application of Flask's tests has our session interface by default."""

import os
from pathlib import Path

import flask

from flask_session_rs import SecureCookieSessionInterface

requests = 0


def count(app: flask.Flask, **_: object) -> None:
    """Counts the requests that ours answered, so that nobody takes another interface for it."""
    global requests
    requests += type(app.session_interface) is SecureCookieSessionInterface


flask.Flask.session_interface = SecureCookieSessionInterface()
flask.request_started.connect(count)


def pytest_sessionfinish() -> None:
    Path(os.environ["REQUESTS_ANSWERED"]).write_text(str(requests))
