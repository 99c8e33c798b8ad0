"""Whatever Flask lets an application override is overridden here, on both classes alike."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from typing import Any

import flask
import pytest
from flask.json.tag import JSONTag
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import session_json_serializer
from flask.sessions import SessionMixin
from itsdangerous import URLSafeTimedSerializer

from .flavours import BOTH
from .flavours import FLASK
from .flavours import Flavour
from .flavours import NATIVE
from .views import session_app
from .visits import Answer
from .visits import run
from .visits import Visitor

pytestmark = pytest.mark.usefixtures("clock", "plain")

STEPS = (
    "/untouched", "/read", "/write", "/kind", "/flags", "/read", "/rich", "/read", "/nested",
    "/nested_marked", "/permanent", "/untouched", "/read", "/wrong", "/vary", "/fail", "/flash",
    "/flashed", "/template", "/pop", "/write_and_empty", "/untouched",
)  # fmt: skip


def answers(flavour: Flavour, overrides: dict[str, Any]) -> list[Answer]:
    return run(session_app(flavour.interface(**overrides)), STEPS)


class Backwards(TaggedJSONSerializer):
    """A serializer whose text is nobody else's."""

    def dumps(self, value: Any) -> str:
        return super().dumps(value)[::-1]

    def loads(self, value: str) -> Any:
        return super().loads(value[::-1])


class Lines:
    """A serializer that is no relative of Flask's, and writes bytes."""

    def dumps(self, value: Any) -> bytes:
        return repr(sorted(value)).encode()

    def loads(self, value: bytes) -> Any:
        return dict.fromkeys(eval(value), "back")


class TagComplex(JSONTag):
    __slots__ = ()
    key = " c"

    def check(self, value: Any) -> bool:
        return isinstance(value, complex)

    def to_json(self, value: Any) -> Any:
        return [value.real, value.imag]

    def to_python(self, value: Any) -> Any:
        return complex(*value)


class TagStr(JSONTag):
    """Comes before all others and takes what they would."""

    __slots__ = ()
    key = " s"

    def check(self, value: Any) -> bool:
        return isinstance(value, str)

    def to_json(self, value: Any) -> Any:
        return value.swapcase()

    def to_python(self, value: Any) -> Any:
        return value.swapcase()


def tagged(tag: type[JSONTag], **kwargs: Any) -> TaggedJSONSerializer:
    serializer = TaggedJSONSerializer()
    serializer.register(tag, **kwargs)
    return serializer


def fixed_serializer(self: Any, app: flask.Flask) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer("fixed", salt="fixed", serializer=session_json_serializer)


def no_serializer(self: Any, app: flask.Flask) -> None:
    return None


class Plain(dict[str, Any]):
    """A session class that is only a dict with the attributes that Flask asks for."""

    modified = True
    accessed = False
    new = True

    @property
    def permanent(self) -> bool:
        return bool(self.get("_permanent"))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = value


class OfFlask(FLASK.session_class):  # type: ignore[name-defined, misc]
    extra = "of Flask"


SAME: dict[str, dict[str, Any]] = {
    "salt": {"salt": "other"},
    "salt bytes": {"salt": b"\xff salt"},
    "salt None": {"salt": None},
    "salt empty": {"salt": ""},
    "sha1": {"digest_method": staticmethod(hashlib.sha1), "salt": "s"},
    "sha256": {"digest_method": staticmethod(hashlib.sha256)},
    "sha384": {"digest_method": staticmethod(hashlib.sha384)},
    "sha512": {"digest_method": staticmethod(hashlib.sha512)},
    "md5": {"digest_method": staticmethod(hashlib.md5)},
    "blake2b": {"digest_method": staticmethod(hashlib.blake2b)},
    "sha3": {"digest_method": staticmethod(hashlib.sha3_256)},
    "lambda": {"digest_method": staticmethod(lambda data=b"": hashlib.sha256(data))},
    "digest name": {"digest_method": "sha256"},
    "digest unknown": {"digest_method": "nothing"},
    "digest None": {"digest_method": None, "salt": "s"},
    "concat": {"key_derivation": "concat"},
    "django-concat": {"key_derivation": "django-concat"},
    "none": {"key_derivation": "none"},
    "hmac": {"key_derivation": "hmac", "salt": "s"},
    "derivation unknown": {"key_derivation": "magic"},
    "derivation None": {"key_derivation": None},
    **{
        f"{derivation} {name}": {
            "key_derivation": derivation,
            "digest_method": staticmethod(getattr(hashlib, name)),
        }
        for derivation in ("concat", "django-concat", "none")
        for name in ("sha256", "sha512")
    },
    "serializer": {"serializer": Backwards()},
    "serializer of bytes": {"serializer": Lines()},
    "serializer with a tag": {"serializer": tagged(TagComplex), "salt": "s"},
    "serializer with a first tag": {"serializer": tagged(TagStr, index=0)},
    "serializer None": {"serializer": None},
    "session class dict": {"session_class": Plain},
    "session class of Flask": {"session_class": OfFlask},
    "signing serializer": {"get_signing_serializer": fixed_serializer},
    "no signing serializer": {"get_signing_serializer": no_serializer},
    "name": {"get_cookie_name": lambda self, app: "other"},
    "domain": {"get_cookie_domain": lambda self, app: "sub.example.com"},
    "path": {"get_cookie_path": lambda self, app: "/über"},
    "httponly": {"get_cookie_httponly": lambda self, app: False},
    "secure": {"get_cookie_secure": lambda self, app: True},
    "samesite": {"get_cookie_samesite": lambda self, app: "Strict"},
    "partitioned": {"get_cookie_partitioned": lambda self, app: True},
    "never": {"should_set_cookie": lambda self, app, session: False},
    "always": {"should_set_cookie": lambda self, app, session: True},
    "accessed only": {"should_set_cookie": lambda self, app, session: session.accessed},
    "if it holds a list": {"should_set_cookie": lambda self, app, session: "list" in session},
    "no expiration": {"get_expiration_time": lambda self, app, session: None, "salt": "s"},
    "expiration always": {
        "get_expiration_time": lambda self, app, session: datetime(2030, 1, 1, tzinfo=timezone.utc)
    },
    "expiration as text": {"get_expiration_time": lambda self, app, session: "tomorrow"},
    "expiration as a number": {"get_expiration_time": lambda self, app, session: 1_800_000_000},
    "null session": {"make_null_session": lambda self, app: None, "salt": "s"},
    "all are null": {"is_null_session": lambda self, session: True},
    "all are of the null class": {"null_session_class": SessionMixin},
    "pickle based": {"pickle_based": True, "salt": "s"},
    "by a property": {"salt": property(lambda self: "computed")},
    "by slots": {"__getattribute__": lambda self, name: object.__getattribute__(self, name),
                 "salt": "s"},
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_class_attributes(name: str) -> None:
    stock, native = (answers(flavour, SAME[name]) for flavour in BOTH)
    assert native == stock
    assert stock != answers(FLASK, {})


def calling_super(base: Any) -> dict[str, Any]:
    def open_session(self: Any, app: flask.Flask, request: flask.Request) -> Any:
        session = base.open_session(self, app, request)
        session["opened"] = session.get("opened", 0) + 1
        return session

    def save_session(self: Any, app: flask.Flask, session: Any, response: flask.Response) -> None:
        session["saved"] = session.get("saved", 0) + 1
        response.headers["X-Before"] = str(session.modified)
        base.save_session(self, app, session, response)
        response.headers["X-After"] = str(len(response.headers))

    return {"open_session": open_session, "save_session": save_session}


def only_opening(base: Any) -> dict[str, Any]:
    return {"open_session": calling_super(base)["open_session"]}


def only_saving(base: Any) -> dict[str, Any]:
    return {"save_session": calling_super(base)["save_session"]}


def open_none(base: Any) -> dict[str, Any]:
    return {"open_session": lambda self, app, request: None}


def wrapped_hooks(base: Any) -> dict[str, Any]:
    """Each hook calls super and leaves a trace."""

    def get_cookie_path(self: Any, app: flask.Flask) -> str:
        return str(base.get_cookie_path(self, app)) + "x"

    def should_set_cookie(self: Any, app: flask.Flask, session: Any) -> bool:
        flask.g.asked = getattr(flask.g, "asked", 0) + 1
        return bool(base.should_set_cookie(self, app, session)) and "count" in session

    def get_expiration_time(self: Any, app: flask.Flask, session: Any) -> Any:
        time = base.get_expiration_time(self, app, session)
        return time and time + timedelta(days=1)

    def get_signing_serializer(self: Any, app: flask.Flask) -> Any:
        serializer = base.get_signing_serializer(self, app)
        if serializer is not None:
            serializer.salt = b"changed"
        return serializer

    return {
        "get_cookie_path": get_cookie_path,
        "should_set_cookie": should_set_cookie,
        "get_expiration_time": get_expiration_time,
        "get_signing_serializer": get_signing_serializer,
    }


def own_session_class(base: Any) -> dict[str, Any]:
    class Own(base.session_class):  # type: ignore[misc]
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial)
            self.setdefault("visits", 0)

    return {"session_class": Own}


def function_as_session_class(base: Any) -> dict[str, Any]:
    return {
        "session_class": staticmethod(
            lambda data=None: base.session_class({**(data or {}), "f": 1})
        )
    }


def own_init(base: Any) -> dict[str, Any]:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        base.__init__(self, *args, **kwargs)
        self.salt = "of the instance"

    return {"__init__": init}


@pytest.mark.parametrize(
    "make",
    [calling_super, only_opening, only_saving, open_none, wrapped_hooks, own_session_class,
     function_as_session_class, own_init],
)  # fmt: skip
def test_methods_that_call_super(make: Callable[[Any], dict[str, Any]]) -> None:
    stock, native = (answers(flavour, make(flavour.interface_class)) for flavour in BOTH)
    assert native == stock
    assert stock != answers(FLASK, {})


UNREADABLE = {"serializer", "serializer of bytes"}
"""Make old payloads unreadable: an error in Flask, an empty session in ours (test_hostile.py)."""


@pytest.mark.parametrize("name", [n for n in SAME if n not in ("by slots", "by a property")])
@pytest.mark.parametrize("where", ["class", "instance"])
def test_attributes_changed_between_requests(
    name: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed on the shipped class itself or on one instance, and changed back."""
    results = []
    for flavour in BOTH:
        app = session_app(flavour.interface())
        visitor = Visitor(app)
        seen = run(app, ["/write", "/rich", "/read"], visitor)
        with monkeypatch.context() as patch:
            for attribute, value in SAME[name].items():
                target: Any = flavour.interface_class
                if where == "instance":
                    target = app.session_interface
                    if isinstance(value, staticmethod):
                        value = value.__func__
                    elif callable(value) and attribute.startswith(
                        ("get_", "should", "is_", "make")
                    ):
                        value = value.__get__(target)
                patch.setattr(target, attribute, value, raising=False)
            if name in UNREADABLE:
                visitor.jar.clear()
            seen += run(app, ["/read", *STEPS], visitor)
        seen += run(app, ["/read", "/write", "/permanent", "/untouched"], visitor)
        results.append(seen)
    assert results[0] == results[1]


@pytest.mark.parametrize("index", [None, 0])
@pytest.mark.parametrize("tag", [TagComplex, TagStr])
def test_a_tag_on_the_shared_serializer(tag: type[JSONTag], index: int | None) -> None:
    """`app.session_interface.serializer.register(...)` changes the one that all share."""
    results = []
    for flavour in BOTH:
        app = session_app(flavour.interface())

        @app.get("/complex")
        def complex_view() -> str:
            flask.session["complex"] = complex(1, 2)
            return "done"

        visitor = Visitor(app)
        seen = run(app, ["/write", "/complex", "/read"], visitor)
        serializer: Any = app.session_interface.serializer  # type: ignore[attr-defined]
        tags, order = dict(serializer.tags), list(serializer.order)
        try:
            serializer.register(tag, index=index)
            seen += run(app, ["/read", "/complex", "/rich", "/read", "/untouched"], visitor)
        finally:
            serializer.tags.clear()
            serializer.tags.update(tags)
            serializer.order[:] = order
        seen += run(app, ["/read", "/complex", "/write", "/read"], visitor)
        results.append(seen)
    assert results[0] == results[1]


def unregister(serializer: Any) -> None:
    serializer.order[:] = [tag for tag in serializer.order if tag.key != " d"]
    del serializer.tags[" d"]


def reorder(serializer: Any) -> None:
    """Bytes, text and times are looked for before all others."""
    serializer.order[:4], serializer.order[4:] = serializer.order[4:], serializer.order[:4]


def replace(serializer: Any) -> None:
    serializer.tags[" u"] = serializer.tags[" m"]


@pytest.mark.parametrize("change", [unregister, reorder, replace])
def test_a_serializer_changed_by_hand(change: Callable[[Any], None]) -> None:
    results = []
    for flavour in BOTH:
        interface = flavour.interface(serializer=TaggedJSONSerializer())
        app = session_app(interface)
        visitor = Visitor(app)
        seen = run(app, ["/rich", "/read"], visitor)
        change(interface.serializer)
        seen += run(app, ["/read", "/rich", "/read"], visitor)
        results.append(seen)
    assert results[0] == results[1]


def test_what_other_libraries_ask_for() -> None:
    """`get_signing_serializer` goes on to return something with `loads` and `dumps`."""
    for flavour in BOTH:
        app = session_app(flavour.interface())
        visitor = Visitor(app)
        visitor.get("/rich")
        with app.app_context():
            serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
            data = serializer.loads(visitor.jar["session"])
            assert data["tuple"] == (1, "two")
            visitor.jar["session"] = serializer.dumps({"count": 5})
        assert visitor.get("/read").body == "dict{str 'count': int 5}"


def test_both_are_the_same_kind() -> None:
    assert issubclass(NATIVE.interface_class, FLASK.interface_class)
    assert issubclass(NATIVE.session_class, FLASK.session_class)
    own = set(vars(NATIVE.interface_class)) - {"compress_threshold"}
    assert {name for name in own if not name.startswith("_")} <= set(dir(FLASK.interface_class))
