"""The package as a user meets it: its names, its signatures, its errors, its quiet import."""

import importlib.metadata
import importlib.resources
import inspect
import pickle
import subprocess
import sys
from typing import Any

import flask
import flask.sessions
import freezegun
import pytest

import flask_session_rs
from flask_session_rs import _native
from flask_session_rs import SecureCookieSession
from flask_session_rs import SecureCookieSessionInterface
from flask_session_rs import Session

from .flavours import BOTH
from .views import session_app
from .visits import new_app
from .visits import Visitor

PUBLIC = ("SecureCookieSession", "SecureCookieSessionInterface", "Session")


def test_public_names() -> None:
    assert set(PUBLIC) <= set(flask_session_rs.__all__)
    assert sorted(flask_session_rs.__all__) == list(flask_session_rs.__all__)
    for name in flask_session_rs.__all__:
        assert getattr(flask_session_rs, name).__module__.startswith("flask_session_rs")
        assert getattr(flask_session_rs, name).__name__ == name


@pytest.mark.parametrize("name", PUBLIC)
def test_documentation(name: str) -> None:
    cls = getattr(flask_session_rs, name)
    assert cls.__doc__
    assert len(cls.__doc__) > 50
    for key, value in vars(cls).items():
        if not key.startswith("_") and callable(value):
            assert value.__doc__, key


def test_typed() -> None:
    files = importlib.resources.files("flask_session_rs")
    assert (files / "py.typed").is_file()
    assert (files / "_native.pyi").is_file()


def test_version() -> None:
    assert _native.__version__ == importlib.metadata.version("flask-session-rs")


def test_inheritance() -> None:
    assert issubclass(SecureCookieSession, flask.sessions.SecureCookieSession)
    assert issubclass(SecureCookieSession, dict)
    assert issubclass(SecureCookieSessionInterface, flask.sessions.SecureCookieSessionInterface)
    assert SecureCookieSessionInterface.session_class is SecureCookieSession


def test_signatures() -> None:
    """Those of Flask's methods, so that calls by keyword and overriding methods fit."""
    parameters = inspect.signature(SecureCookieSessionInterface).parameters
    assert parameters["compress_threshold"].default is None
    for name in ("open_session", "save_session", "get_signing_serializer", "get_cookie_name"):
        stock = inspect.signature(getattr(flask.sessions.SecureCookieSessionInterface, name))
        native = inspect.signature(getattr(SecureCookieSessionInterface, name))
        assert list(native.parameters) == list(stock.parameters), name
    assert list(inspect.signature(SecureCookieSession).parameters) == ["initial"]


@pytest.mark.parametrize("flavour", BOTH, ids=lambda f: f.name)
def test_calls_by_keyword(flavour: Any) -> None:
    app = new_app(flavour.interface())
    with app.test_request_context("/") as context:
        session = app.session_interface.open_session(app=app, request=context.request)
        assert session is not None
        session["a"] = 1
        response = flask.Response()
        app.session_interface.save_session(app=app, session=session, response=response)
    assert "session=" in response.headers["Set-Cookie"]
    assert dict(flavour.session_class(initial={"a": 1})) == {"a": 1}


@pytest.mark.parametrize("flavour", BOTH, ids=lambda f: f.name)
@pytest.mark.parametrize("arguments", [(1,), ("ab",), ([1],), ({}, {}), ({}, None, 1)])
def test_session_of_wrong_arguments(flavour: Any, arguments: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        flavour.session_class(*arguments)


@pytest.mark.parametrize("initial", [None, {}, {"a": 1}, [("a", 1)], iter([("a", 1)]), (("a", 1),)])
def test_session_of_anything_that_dict_takes(initial: Any) -> None:
    import copy

    stock, native = (flavour.session_class(copy.copy(initial)) for flavour in BOTH)
    assert (dict(native), native.modified, native.accessed) == (
        dict(stock),
        stock.modified,
        stock.accessed,
    )


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [((-1,), {}), (("x",), {}), ((1, 2), {}), ((), {"threshold": 1})],
)
def test_interface_of_wrong_arguments(arguments: Any, keywords: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        SecureCookieSessionInterface(*arguments, **keywords)


@pytest.mark.parametrize("where", ["argument", "class", "instance"])
@pytest.mark.parametrize(("threshold", "compressed"), [(0, True), (100, True), (1 << 30, False)])
def test_compress_threshold(where: str, threshold: int, compressed: bool) -> None:
    cls: Any = SecureCookieSessionInterface
    assert cls.compress_threshold == 1024
    if where == "argument":
        interface = cls(threshold)
        assert cls(compress_threshold=threshold).compress_threshold == threshold
    elif where == "class":
        interface = type("Sub", (cls,), {"compress_threshold": threshold})()
    else:
        interface = cls()
        interface.compress_threshold = threshold
    app = new_app(interface)
    client = app.test_client()
    with client.session_transaction() as session:
        session["a"] = "x" * 500
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert cookie.value.startswith(".") == compressed


@pytest.mark.parametrize(("size", "compressed"), [(900, False), (1013, False), (1014, True)])
def test_the_default_threshold(size: int, compressed: bool) -> None:
    """1024 bytes of JSON, to the byte: `{"abc":""}` takes ten of them."""
    app = new_app(SecureCookieSessionInterface())
    client = app.test_client()
    with client.session_transaction() as session:
        session["abc"] = "x" * size
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert cookie.value.startswith(".") == compressed


def test_extension_on_an_application() -> None:
    app = flask.Flask("visited")
    Session(app)
    assert type(app.session_interface) is SecureCookieSessionInterface


def test_extension_for_factories() -> None:
    extension: Any = Session()
    apps = [flask.Flask("visited") for _ in range(2)]
    for app in apps:
        app.config["SESSION_TYPE"] = "cookie"
        extension.init_app(app)
        assert type(app.session_interface) is SecureCookieSessionInterface
    assert not set(apps) & set(vars(extension).values())


@pytest.mark.parametrize(
    "name",
    [
        "memcached",
        "filesystem",
        "sqlalchemy",
        "mongodb",
        "dynamodb",
        "cachelib",
        "null",
        "",
        None,
        5,
    ],
)
def test_session_types_that_are_not_supported(name: Any) -> None:
    app = flask.Flask("visited")
    app.config["SESSION_TYPE"] = name
    before = app.session_interface
    with pytest.raises(ValueError, match="SESSION_TYPE") as error:
        Session(app)
    assert repr(name) in str(error.value)
    assert "'cookie'" in str(error.value)
    assert app.session_interface is before


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    "options", [(), ("-W", "error"), ("-O",), ("-OO",), ("-X", "dev"), ("-b",)]
)
def test_import_is_quiet(options: tuple[str, ...]) -> None:
    result = python(*options, "-c", "import flask_session_rs; print(flask_session_rs.__all__)")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_release_build() -> None:
    """The suite is for a release build: a debug build warns when it is imported."""
    assert _native.DEBUG_BUILD is False


def test_import_brings_no_other_package() -> None:
    code = (
        "import flask, sys; before = set(sys.modules); import flask_session_rs;"
        "print(*(set(sys.modules) - before))"
    )
    brought = {name.partition(".")[0] for name in python("-c", code).stdout.split()}
    assert brought <= {"flask_session_rs", "zlib"}


def test_imported_twice() -> None:
    """Forgotten and imported again, the module works or says why not."""
    code = (
        "import flask_session_rs, sys\n"
        "names = [n for n in sys.modules if n.startswith('flask_session_rs')]\n"
        "for name in names: del sys.modules[name]\n"
        "import flask_session_rs as again\n"
        "import flask\n"
        "app = flask.Flask('x'); app.secret_key = 'k'\n"
        "app.session_interface = again.SecureCookieSessionInterface()\n"
        "c = app.test_client()\n"
        "with c.session_transaction() as s: s['a'] = 1\n"
        "with c.session_transaction() as s: print(dict(s))\n"
    )
    result = python("-c", code)
    assert result.stdout == "{'a': 1}\n" or "ImportError" in result.stderr


def test_freezegun() -> None:
    """The clock of a test that freezes time is the clock of the cookies."""
    app = session_app(SecureCookieSessionInterface(), PERMANENT_SESSION_LIFETIME=60)
    visitor = Visitor(app)
    with freezegun.freeze_time("2030-01-01") as frozen:
        visitor.get("/only_permanent")
        assert (
            "Expires=Tue, 01 Jan 2030 00:01:00 GMT" in visitor.get("/write").header("Set-Cookie")[0]
        )
        frozen.tick(59)
        assert "count" in visitor.get("/read").body
        visitor.jar["session"] = visitor.jar["session"]
        frozen.tick(61)
        assert visitor.get("/read").body == "dict{}"


def test_interfaces_are_plain_objects() -> None:
    """Attributes can be set; instances are distinct, hashable, and can be compared."""
    one, other = SecureCookieSessionInterface(), SecureCookieSessionInterface()
    one.salt = "own"
    assert other.salt == "cookie-session"
    assert one != other
    assert len({one, other}) == 2
    with pytest.raises(TypeError):
        pickle.dumps(_native.TokenCodec(["x"]))
