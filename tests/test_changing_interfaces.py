"""What an interface answers may change between two requests, or be patched from outside: Flask asks anew each time."""

import copy
import gc
import hashlib
import pickle
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Callable
from datetime import datetime
from typing import Any

import flask
import flask.json.tag
import flask.sessions
import itsdangerous
import pytest
import werkzeug.http
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SessionMixin

from .flavours import BOTH
from .flavours import FLASK
from .flavours import Flavour
from .flavours import NATIVE
from .views import session_app
from .visits import Answer
from .visits import run
from .visits import Visitor

pytestmark = pytest.mark.usefixtures("clock", "plain")

STEPS = ("/write", "/read", "/rich", "/permanent", "/untouched", "/read", "/nested_marked", "/read")


class Upside(TaggedJSONSerializer):
    def dumps(self, value: Any) -> str:
        return super().dumps(value).swapcase()

    def loads(self, value: str) -> Any:
        return super().loads(value.swapcase())


def other_session(flavour: Flavour) -> Any:
    class Other(flavour.session_class):  # type: ignore[name-defined, misc]
        def __init__(self, initial: Any = None) -> None:
            super().__init__({**(initial or {}), "other": 1})

    return Other


#: Two values for each attribute that is no method, of a flavour.
VALUES: dict[str, Callable[[Flavour], tuple[Any, Any]]] = {
    "salt": lambda flavour: ("one", "two"),
    "key_derivation": lambda flavour: ("hmac", "concat"),
    "digest_method": lambda flavour: (hashlib.sha1, hashlib.sha256),
    "serializer": lambda flavour: (flask.sessions.session_json_serializer, Upside()),
    "session_class": lambda flavour: (flavour.session_class, other_session(flavour)),
}


class Computed:
    """A descriptor that only computes, and gives way to an attribute of the object itself."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self.answer()


def by_a_property(name: str, answer: Callable[[], Any]) -> dict[str, Any]:
    return {name: property(lambda self: answer())}


def by_a_descriptor(name: str, answer: Callable[[], Any]) -> dict[str, Any]:
    return {name: Computed(answer)}


def by_getattribute(name: str, answer: Callable[[], Any]) -> dict[str, Any]:
    def getattribute(self: Any, asked: str) -> Any:
        return answer() if asked == name else object.__getattribute__(self, asked)

    return {"__getattribute__": getattribute}


@pytest.mark.parametrize("how", [by_a_property, by_a_descriptor, by_getattribute])
@pytest.mark.parametrize("name", VALUES)
def test_values_that_are_computed(
    name: str, how: Callable[[str, Callable[[], Any]], dict[str, Any]]
) -> None:
    """A salt for each host, say: a cookie of one is nobody's at another."""

    def seen(flavour: Flavour) -> list[Answer]:
        values = VALUES[name](flavour)
        now = [values[0]]
        app = session_app(flavour.interface(**how(name, lambda: now[0])))
        visitor = Visitor(app)
        answers = []
        for value in (*values, *values):
            now[0] = value
            if name == "serializer":
                visitor.jar.clear()
            answers += run(app, ["/read", *STEPS], visitor)
        return answers

    stock, native = map(seen, BOTH)
    assert native == stock


@pytest.mark.parametrize("name", VALUES)
def test_values_in_a_slot(name: str) -> None:
    def seen(flavour: Flavour) -> list[Answer]:
        base: Any = flavour.interface_class

        class Slots(base):  # type: ignore[misc]
            __slots__ = (name,)

        interface = Slots()
        first, second = VALUES[name](flavour)
        setattr(interface, name, first)
        app = session_app(interface)
        visitor = Visitor(app)
        answers = run(app, STEPS, visitor)
        setattr(interface, name, second)
        if name == "serializer":
            visitor.jar.clear()
        return [*answers, *run(app, ["/read", *STEPS], visitor)]

    stock, native = map(seen, BOTH)
    assert native == stock


def test_a_threshold_that_is_computed() -> None:
    """Flask's code answers then, and compresses as it does."""
    sizes = []
    thresholds = [0]
    computed = property(lambda self: thresholds[-1], lambda self, value: None)
    interface: Any = NATIVE.interface(compress_threshold=computed)
    for threshold in (0, 1 << 20):
        thresholds.append(threshold)
        (answer,) = run(session_app(interface), ["/rich"])
        sizes.append(len(answer.header("Set-Cookie")[0]))
    assert sizes[0] == sizes[1]


def test_attributes_that_nobody_asks_for() -> None:
    """They change as they like, and nothing is decided anew."""
    interface: Any = NATIVE.interface()
    app = session_app(interface)
    visitor = Visitor(app)
    for number in range(30):
        interface.requests = [number]
        visitor.get("/write")
    assert visitor.get("/read").body == "dict{str 'count': int 1e}"


class Asked:
    """Replaces a function, counts, and answers what it would, changed."""

    def __init__(self, function: Any, change: Callable[[Any], Any]) -> None:
        self.function = function
        self.change = change

    def __get__(self, instance: Any, owner: Any) -> Any:
        return lambda *args, **kwargs: self.change(self.function(instance, *args, **kwargs))


def other_salt(serializer: Any) -> Any:
    if serializer is not None:
        serializer.salt = b"patched"
    return serializer


#: What is patched, by name: the class, the attribute, what stands there then.
PATCHES: dict[str, tuple[Any, str, Any]] = {
    "serializer's dumps": (
        TaggedJSONSerializer, "dumps",
        Asked(TaggedJSONSerializer.dumps, lambda text: text.replace("count", "patch")),
    ),
    "serializer's loads": (
        TaggedJSONSerializer, "loads",
        Asked(TaggedJSONSerializer.loads, lambda data: {**data, "patched": 1}),
    ),
    "Flask's get_signing_serializer": (
        FLASK.interface_class, "get_signing_serializer",
        Asked(FLASK.interface_class.get_signing_serializer, other_salt),
    ),
    "Flask's save_session": (
        FLASK.interface_class, "save_session",
        lambda self, app, session, response: response.headers.add("X-Saved", "patched"),
    ),
    "Flask's open_session": (
        FLASK.interface_class, "open_session",
        lambda self, app, request: self.session_class({"opened": "patched"}),
    ),
    "a session's permanent": (SessionMixin, "permanent", property(lambda self: True)),
}  # fmt: skip

#: The same, of what is looked at when an interface meets an application with its settings, and not at each request.
EARLY_PATCHES: dict[str, tuple[Any, str, Any]] = {
    "a tag's to_json": (
        flask.json.tag.TagDateTime, "to_json", lambda self, value: value.isoformat(),
    ),
    "a tag's to_python": (
        flask.json.tag.TagTuple, "to_python", lambda self, value: ("patched", *value),
    ),
    "a signer's clock": (itsdangerous.TimestampSigner, "get_timestamp", lambda self: 1),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "when"),
    [*((name, "before") for name in [*PATCHES, *EARLY_PATCHES]),
     *((name, "between") for name in PATCHES)],
)  # fmt: skip
def test_patches(name: str, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(flavour: Flavour) -> list[Answer]:
        app = session_app(flavour.interface())
        visitor = Visitor(app)
        answers = run(app, STEPS, visitor) if when == "between" else []
        target, attribute, value = {**PATCHES, **EARLY_PATCHES}[name]
        with monkeypatch.context() as patch:
            patch.setattr(target, attribute, value)
            answers += run(app, ["/untouched", *STEPS], visitor)
        visitor.jar.clear()
        return [*answers, *run(app, STEPS, visitor)]

    stock, native = map(seen, BOTH)
    assert native == stock


def test_tags_that_were_there_before_the_package() -> None:
    """Another package may add its own to the shipped ones before this one is imported."""
    program = """
        import sys
        from flask import Flask, session
        from flask.json.tag import JSONTag, TaggedJSONSerializer

        class TagComplex(JSONTag):
            __slots__ = ()
            key = " c"
            check = lambda self, value: isinstance(value, complex)
            to_json = lambda self, value: [value.real, value.imag]
            to_python = lambda self, value: complex(*value)

        TaggedJSONSerializer.default_tags.append(TagComplex)
        from flask_session_rs import SecureCookieSessionInterface

        class Interface(SecureCookieSessionInterface):
            serializer = TaggedJSONSerializer()

        app = Flask("tags")
        app.secret_key = "a key"
        app.session_interface = Interface()
        app.add_url_rule("/w", "w", lambda: session.update(a=1j) or "")
        app.add_url_rule("/r", "r", lambda: repr(session["a"]))
        client = app.test_client()
        client.get("/w")
        print(client.get("/r").text)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1j\n"


def test_a_date_that_cannot_be_written(flavour: Flavour) -> None:
    """Flask's order of things: Vary is there before the save fails."""
    app = session_app(flavour.interface())
    zone = "+05:00"

    @app.get("/date")
    def date() -> str:
        flask.session["date"] = datetime.fromisoformat(f"0001-01-01T00:00:00{zone}")
        return "a page"

    (answer,) = run(app, ["/date"])
    assert answer.status.startswith("500")
    assert answer.header("Vary") == ["Cookie"]
    assert "OverflowError" in answer.logged[0]


@pytest.mark.parametrize("path", ["/untouched", "/read"])
def test_a_key_without_bytes_is_no_bad_cookie(flavour: Flavour, path: str) -> None:
    """A broken configuration does not look like a user who is logged out."""
    app = session_app(flavour.interface())
    visitor = Visitor(app)
    visitor.get("/write")
    app.secret_key = "k\ud800"
    answer = visitor.get(path)
    assert answer.status.startswith("500")


class Interrupting:
    """Raises once where werkzeug looks whether a cookie's text has to be quoted."""

    def __init__(self, pattern: Any, error: BaseException) -> None:
        self.pattern = pattern
        self.errors = [error]

    def fullmatch(self, text: str) -> Any:
        if self.errors:
            raise self.errors.pop()
        return self.pattern.fullmatch(text)


def test_an_interrupt_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it interrupted is done over at the next request, by native code."""
    app = session_app(NATIVE.interface())
    asked: list[int] = []
    monkeypatch.setattr(
        NATIVE.interface_class, "_save_with_flask", lambda *args: asked.append(1), raising=True
    )
    pattern = werkzeug.http._cookie_no_quote_re
    with monkeypatch.context() as patch:
        interrupting = Interrupting(pattern, KeyboardInterrupt())
        patch.setattr(werkzeug.http, "_cookie_no_quote_re", interrupting)
        with pytest.raises(KeyboardInterrupt):
            run(app, ["/write"])
        assert run(app, ["/write"])[0].header("Set-Cookie")
    assert not asked


def plain_app(base: Any) -> flask.Flask:
    return session_app(base())


def told_its_app(base: Any) -> flask.Flask:
    interface = base()
    interface.app = app = session_app(interface)
    return app


def with_a_hook_of_its_own(base: Any) -> flask.Flask:
    interface = base()
    app = session_app(interface)
    interface.get_cookie_domain = lambda a: app.config["SESSION_COOKIE_DOMAIN"]
    return app


def of_a_class_that_knows_the_app(base: Any) -> flask.Flask:
    class Interface(base):  # type: ignore[misc]
        def get_cookie_domain(self, app: flask.Flask) -> Any:
            return made.config["SESSION_COOKIE_DOMAIN"]

    made = session_app(Interface())
    return made


def with_classes_of_its_own(base: Any) -> flask.Flask:
    class Request(flask.Request):
        pass

    class Response(flask.Response):
        pass

    app = session_app(base())
    app.request_class, app.response_class = Request, Response
    Request.app = Response.app = app  # type: ignore[attr-defined]
    return app


def with_a_session_class(base: Any) -> flask.Flask:
    class Own(base.session_class):  # type: ignore[misc]
        pass

    interface = base()
    interface.session_class = Own
    Own.app = app = session_app(interface)
    return app


def keeps_its_last_session(base: Any) -> flask.Flask:
    interface = base()
    app = session_app(interface)

    @app.after_request
    def keep(response: flask.Response) -> flask.Response:
        interface.last = flask.session._get_current_object()  # type: ignore[attr-defined]
        return response

    return app


@pytest.mark.parametrize(
    "make",
    [plain_app, told_its_app, with_a_hook_of_its_own, of_a_class_that_knows_the_app,
     with_classes_of_its_own, with_a_session_class, keeps_its_last_session],
)  # fmt: skip
def test_applications_are_collected(flavour: Flavour, make: Callable[[Any], flask.Flask]) -> None:
    """An application, its interface and their classes often hold each other."""

    def visited() -> list[Any]:
        app = make(flavour.interface_class)
        run(app, ["/write", "/read", "/permanent", "/untouched"])
        return [
            weakref.ref(thing)
            for thing in (app, app.session_interface, app.request_class, app.response_class)
            if thing not in (flask.Request, flask.Response)
        ]

    things = [thing for _ in range(3) for thing in visited()]
    gc.collect()
    gc.collect()
    assert not [thing() for thing in things if thing() is not None]


class OfFlask(FLASK.interface_class):  # type: ignore[misc, name-defined]
    __slots__ = ("slot",)


class OfOurs(NATIVE.interface_class):  # type: ignore[misc, name-defined]
    __slots__ = ("slot",)


@pytest.mark.parametrize("own", [False, True])
def test_an_interface_is_copied_and_pickled(flavour: Flavour, own: bool) -> None:
    interface: Any = flavour.interface_class()
    if own:
        interface = OfFlask() if flavour is FLASK else OfOurs()
        interface.slot = 5
    interface.salt = "another"
    app = session_app(interface)
    visitor = Visitor(app)
    visitor.get("/write")
    for other in (
        copy.copy(interface), copy.deepcopy(interface), pickle.loads(pickle.dumps(interface)),
    ):  # fmt: skip
        assert type(other) is type(interface)
        assert vars(other) == vars(interface)
        assert getattr(other, "slot", 0) == (5 if own else 0)
        app.session_interface = other
        assert visitor.get("/read").body == "dict{str 'count': int 1}"
