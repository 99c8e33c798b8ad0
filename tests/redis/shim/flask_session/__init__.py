"""Goes by Flask-Session's name in its own tests: our extension, over the server that they take for granted."""

import os

import flask

import flask_session_rs


class Session(flask_session_rs.Session):
    """Without SESSION_REDIS, Flask-Session turns to localhost; here it is the test's own server."""

    def init_app(self, app: flask.Flask) -> None:
        app.config.setdefault("SESSION_REDIS", os.environ["SHIM_REDIS"])
        super().init_app(app)
