"""Without a secret key the session can be read, not written: Flask's NullSession, from both."""

from collections.abc import Callable
from typing import Any

import flask
import pytest
from flask.sessions import NullSession
from flask.sessions import SessionInterface
from flask.sessions import SessionMixin

from .describe import raised
from .flavours import BOTH
from .flavours import Flavour
from .views import LIFE
from .views import session_app
from .visits import run

pytestmark = pytest.mark.usefixtures("clock", "plain")


@pytest.mark.parametrize("secret", [None, "", b""])
def test_same_life_without_a_key(secret: Any) -> None:
    stock, native = (run(session_app(f.interface(), SECRET_KEY=secret), LIFE) for f in BOTH)
    assert native == stock
    assert all(answer.header("Set-Cookie") == [] for answer in native if answer.body != "cookies")


def test_open_session_returns_none(flavour: Flavour) -> None:
    app = session_app(flavour.interface(), SECRET_KEY=None)
    with app.test_request_context("/", headers={"Cookie": "session=x"}):
        assert isinstance(flask.session, NullSession)
        assert app.session_interface.open_session(app, flask.request) is None
        assert app.session_interface.is_null_session(flask.session)


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.__setitem__("a", 1),
        lambda s: s.__delitem__("a"),
        lambda s: s.clear(),
        lambda s: s.pop("a", None),
        lambda s: s.popitem(),
        lambda s: s.update(),
        lambda s: s.setdefault("a"),
        lambda s: setattr(s, "permanent", True),
    ],
)
def test_writing_says_what_is_missing(flavour: Flavour, write: Callable[[Any], Any]) -> None:
    app = session_app(flavour.interface(), SECRET_KEY=None)
    with app.test_request_context("/"):
        with pytest.raises(RuntimeError, match="no secret key was set"):
            write(flask.session)
        assert dict(flask.session) == {}
        assert flask.session.get("a") is None
        assert not flask.session.permanent


def test_session_transaction_without_a_key(flavour: Flavour) -> None:
    app = session_app(flavour.interface(), SECRET_KEY=None)
    with pytest.raises(RuntimeError) as error, app.test_client().session_transaction():
        pass
    assert raised(error.value) == "RuntimeError ('Session backend did not open a session.',)"


def test_own_null_session_class(flavour: Flavour) -> None:
    class Mine(NullSession):
        pass

    app = session_app(flavour.interface(null_session_class=Mine), SECRET_KEY=None)
    with app.test_request_context("/"):
        assert isinstance(flask.session, Mine)


def test_asked_directly(flavour: Flavour) -> None:
    interface: Any = flavour.interface()
    for session, null in [
        (interface.session_class(), False),
        (NullSession(), True),
        (type("Own", (interface.session_class,), {})(), False),
        ({}, False),
        (None, False),
    ]:
        assert interface.is_null_session(session) is null
        assert interface.is_null_session(obj=session) is null
    with pytest.raises(TypeError):
        interface.is_null_session()


class AllAreNull(SessionInterface):
    """Comes after both classes in line, and before the one that they inherit the question from."""

    def is_null_session(self, obj: object) -> bool:
        return True


def test_answered_by_another_base(flavour: Flavour) -> None:
    class Own(flavour.interface_class, AllAreNull):  # type: ignore[misc,name-defined]
        pass

    assert Own().is_null_session(Own.session_class()) is True


@pytest.mark.parametrize("name", ["is_null_session", "null_session_class"])
def test_changed_on_the_base_of_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After requests that were answered as it is shipped, and before more of them."""
    changed = {"is_null_session": lambda self, obj: True, "null_session_class": SessionMixin}
    results = []
    for flavour in BOTH:
        app = session_app(flavour.interface())
        seen = run(app, ["/write"])
        with monkeypatch.context() as patch:
            patch.setattr(SessionInterface, name, changed[name])
            seen += run(app, ["/write"])
        results.append(seen + run(app, ["/write"]))
    assert results[0] == results[1]
    assert [bool(answer.header("Set-Cookie")) for answer in results[0]] == [True, False, True]
