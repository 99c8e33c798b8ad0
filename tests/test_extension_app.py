"""What an application overrides outside the interface: Flask, requests, JSON, config."""

import decimal
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import flask
import pytest
from flask.json.provider import DefaultJSONProvider
from flask.json.provider import JSONProvider
from werkzeug.datastructures import HeaderSet
from werkzeug.datastructures import ImmutableMultiDict

from .flavours import BOTH
from .flavours import FLASK
from .flavours import Flavour
from .views import add_views
from .views import session_app
from .visits import Answer
from .visits import run
from .visits import Visitor

pytestmark = pytest.mark.usefixtures("clock", "plain")

STEPS = (
    "/untouched", "/write", "/read", "/rich", "/decimal", "/read", "/nested_marked", "/permanent",
    "/untouched", "/read", "/wrong", "/wrong_keys", "/vary", "/vary_star", "/other_cookies",
    "/flash", "/flashed", "/fail", "/big", "/write_and_empty", "/untouched", "/write",
)  # fmt: skip


class Shouting(DefaultJSONProvider):
    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, **kwargs).replace("count", "COUNT")


class Subclass(DefaultJSONProvider):
    """Overrides nothing, but has an attribute."""

    note = 1


class Own(JSONProvider):
    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return json.dumps(obj, default=repr)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return {"own": True, **json.loads(s)}


class Loading(DefaultJSONProvider):
    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return json.loads(s, parse_float=decimal.Decimal)


def json_attribute(name: str, value: Any) -> Callable[[flask.Flask], None]:
    def change(app: flask.Flask) -> None:
        setattr(app.json, name, value)

    change.__name__ = f"{name} {getattr(value, '__name__', value)}"
    return change


def json_class_attribute(app: flask.Flask) -> None:
    app.json = type("Unsorted", (DefaultJSONProvider,), {"sort_keys": False})(app)


def json_provider(cls: type[JSONProvider]) -> Callable[[flask.Flask], None]:
    def change(app: flask.Flask) -> None:
        app.json = cls(app)

    change.__name__ = f"provider {cls.__name__}"
    return change


def default(value: Any) -> Any:
    return f"default of {type(value).__name__}"


def json_dumps(app: flask.Flask) -> None:
    original = app.json.dumps
    app.json.dumps = lambda obj, **kwargs: original(obj, **kwargs).replace(":1", ":10")  # type: ignore[method-assign]


def json_loads(app: flask.Flask) -> None:
    original = app.json.loads
    app.json.loads = lambda s, **kwargs: {**original(s, **kwargs), "loads": 1}  # type: ignore[method-assign]


def lifetime(value: Any) -> Callable[[flask.Flask], None]:
    def change(app: flask.Flask) -> None:
        app.permanent_session_lifetime = value

    change.__name__ = f"lifetime {value}"
    return change


def secret_key(app: flask.Flask) -> None:
    app.secret_key = "set on the application"


CHANGES: list[Callable[[flask.Flask], None]] = [
    json_attribute("sort_keys", False),
    json_attribute("sort_keys", 0),
    json_attribute("ensure_ascii", False),
    json_attribute("default", default),
    json_attribute("default", None),
    json_class_attribute,
    json_provider(Shouting),
    json_provider(Own),
    json_provider(Loading),
    json_dumps,
    json_loads,
    lifetime(timedelta(hours=1)),
    lifetime(60),
    lifetime(timedelta(seconds=-1)),
    lifetime(timedelta.max),
    secret_key,
]
UNSEEN: list[Callable[[flask.Flask], None]] = [
    json_attribute("compact", False),
    json_attribute("compact", True),
    json_attribute("mimetype", "text/json"),
    json_provider(Subclass),
]


def with_decimal(app: flask.Flask) -> flask.Flask:
    @app.get("/decimal")
    def decimal_view() -> str:
        flask.session["decimal"] = decimal.Decimal("1.50")
        flask.session["float"] = 2.5
        flask.session["ä"] = "ö"
        return "done"

    return app


@pytest.mark.parametrize("change", [*CHANGES, *UNSEEN], ids=lambda change: change.__name__)
@pytest.mark.parametrize("when", ["before", "between", "under way"])
def test_the_application_changed(change: Callable[[flask.Flask], None], when: str) -> None:
    def answers(flavour: Flavour, change: Callable[[flask.Flask], None]) -> list[Answer]:
        app = with_decimal(session_app(flavour.interface()))
        if when == "before":
            change(app)
        visitor = Visitor(app)
        first = run(app, STEPS, visitor)
        if when == "between":
            change(app)
        elif when == "under way":
            app.before_request_funcs.setdefault(None, []).append(lambda: change(app))
        return first + run(app, ["/read", "/rich", *STEPS], visitor)

    stock, native = (answers(flavour, change) for flavour in BOTH)
    assert native == stock
    assert (answers(FLASK, lambda app: None) == stock) == (change in UNSEEN)


class CookieRequest(flask.Request):
    @property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        renamed = {k.replace("renamed", "session"): v for k, v in super().cookies.items()}
        return ImmutableMultiDict(renamed)


class NoCookieRequest(flask.Request):
    cookies = ImmutableMultiDict()


class HeaderRequest(flask.Request):
    """Reads another header, through the environ that it is made with."""

    def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        environ = {**environ, "HTTP_COOKIE": environ.get("HTTP_COOKIE", "").replace("x-", "")}
        super().__init__(environ, *args, **kwargs)


class SetCookieResponse(flask.Response):
    def set_cookie(self, key: str, *args: Any, **kwargs: Any) -> None:
        self.headers.add("X-Set", f"{key} {sorted(kwargs.items(), key=str)}")
        super().set_cookie(key, *args, **kwargs)


class OwnSetCookieResponse(flask.Response):
    """Has a function of its own in place of the method."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        method = self.set_cookie

        def set_cookie(key: str, *args: Any, **kwargs: Any) -> None:
            self.headers.add("X-Set", f"{key} {sorted(kwargs.items(), key=str)}")
            method(key, *args, **kwargs)

        self.set_cookie = set_cookie  # type: ignore[method-assign]


class OtherSetCookieResponse(flask.Response):
    """Has the method of another response in place of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_cookie = flask.Response.set_cookie.__get__(flask.wrappers.ResponseBase())  # type: ignore[attr-defined,method-assign]


class DeleteCookieResponse(flask.Response):
    def delete_cookie(self, key: str, *args: Any, **kwargs: Any) -> None:
        self.headers.add("X-Delete", f"{key} {sorted(kwargs.items(), key=str)}")
        super().delete_cookie(key, *args, **kwargs)


class VaryResponse(flask.Response):
    @property
    def vary(self) -> HeaderSet:
        def on_update(values: HeaderSet) -> None:
            self.headers["X-Vary"] = values.to_header()

        return HeaderSet(["always"], on_update)


class SmallResponse(flask.Response):
    max_cookie_size = 60


class PropertySizeResponse(flask.Response):
    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        return 70


class ReadOnlyHeaders(flask.Response):
    """Has headers of another class."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

        class Headers(type(self.headers)):  # type: ignore[misc]
            def add(self, key: str, value: Any, /, **kwargs: Any) -> None:
                super().add(f"X-{key}", value, **kwargs)
                super().add(key, value, **kwargs)

        self.headers = Headers(self.headers)


class Prefixed(flask.Config):
    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        return f"{value}_prefixed" if key in ("SECRET_KEY", "SESSION_COOKIE_NAME") else value


class Defaulting(flask.Config):
    def __missing__(self, key: str) -> Any:
        return None


class Getting(flask.Config):
    def get(self, key: str, default: Any = None) -> Any:
        return "wrong"


class PropertyKey(flask.Flask):
    @property
    def secret_key(self) -> str:  # type: ignore[override]
        return f"{self.config['SECRET_KEY']} of {flask.request.path[:2] if flask.request else ''}"


class PropertyLifetime(flask.Flask):
    @property
    def permanent_session_lifetime(self) -> timedelta:  # type: ignore[override]
        return timedelta(minutes=5)


class PropertyJSON(flask.Flask):
    @property
    def json(self) -> JSONProvider:
        return Shouting(self)

    @json.setter
    def json(self, value: Any) -> None:
        pass


class ProcessResponse(flask.Flask):
    def process_response(self, response: flask.Response) -> flask.Response:
        response = super().process_response(response)
        response.headers["X-Processed"] = str(len(response.headers))
        return response


class MakeConfig(flask.Flask):
    def make_config(self, instance_relative: bool = False) -> flask.Config:
        config = super().make_config(instance_relative)
        config["SESSION_COOKIE_NAME"] = "made"
        return config


def app_class(**attributes: Any) -> type[flask.Flask]:
    return type("Custom", (flask.Flask,), attributes)


APPS: dict[str, type[flask.Flask]] = {
    **{
        cls.__name__: app_class(request_class=cls)
        for cls in (CookieRequest, NoCookieRequest, HeaderRequest)
    },
    **{
        cls.__name__: app_class(response_class=cls)
        for cls in (SetCookieResponse, OwnSetCookieResponse, OtherSetCookieResponse, DeleteCookieResponse,
                    VaryResponse, SmallResponse, PropertySizeResponse, ReadOnlyHeaders)
    },
    **{
        cls.__name__: app_class(config_class=cls) for cls in (Prefixed, Defaulting, Getting)
    },
    **{
        cls.__name__: cls
        for cls in (PropertyKey, PropertyLifetime, PropertyJSON, ProcessResponse, MakeConfig)
    },
    "json_provider_class": app_class(json_provider_class=Shouting),
    "unsorted provider": app_class(
        json_provider_class=type("P", (DefaultJSONProvider,), {"sort_keys": False})
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("later", [False, True])
def test_application_classes(name: str, later: bool) -> None:
    """As a subclass of Flask; or, `later`, on an application that has answered requests."""

    def answers(flavour: Flavour, cls: type[flask.Flask]) -> list[Answer]:
        app = (flask.Flask if later else cls)("visited")
        app.config["SECRET_KEY"] = "a key"
        app.session_interface = flavour.interface()
        add_views(with_decimal(app))
        visitor = Visitor(app)
        visitor.jar["x-y"] = visitor.jar["renamed"] = "not signed"
        seen: list[Answer] = []
        if later:
            seen += run(app, STEPS, visitor)
            app.__class__ = cls
            for attribute in ("request_class", "response_class"):
                setattr(app, attribute, getattr(cls, attribute))
        seen += run(app, STEPS, visitor)
        visitor.jar["x-session"] = visitor.jar["renamed"] = visitor.jar.get("session", "nothing")
        return seen + run(app, STEPS, visitor)

    stock, native = (answers(flavour, APPS[name]) for flavour in BOTH)
    assert native == stock
    inert = name in ("Getting", "Defaulting")
    inert |= later and name in (
        "Prefixed",
        "MakeConfig",
        "json_provider_class",
        "unsorted provider",
    )
    assert (stock == answers(FLASK, flask.Flask)) == inert


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("flask.Response", "set_cookie"),
        ("flask.Response", "delete_cookie"),
        ("flask.Flask", "process_response"),
        ("flask.Config", "__getitem__"),
        ("flask.sessions.SessionInterface", "get_cookie_path"),
        ("flask.sessions.SessionInterface", "should_set_cookie"),
        ("flask.sessions.SessionInterface", "get_expiration_time"),
        ("flask.json.provider.DefaultJSONProvider", "dumps"),
        ("flask.json.provider.DefaultJSONProvider", "loads"),
    ],
)
def test_patched_for_a_test(target: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods of Flask's own classes, wrapped while the application runs, are called as often."""
    import pkgutil

    owner = pkgutil.resolve_name(target.replace(".", ":", 1) if target.count(".") == 1 else target)
    original = getattr(owner, name)
    results = []
    for flavour in BOTH:
        app = session_app(flavour.interface())
        visitor = Visitor(app)
        seen: list[Any] = list(run(app, ["/rich", "/read"], visitor))
        called: list[str] = []

        def wrapper(*args: Any, called: list[str] = called, **kwargs: Any) -> Any:
            called.append(repr(args[1:])[:30] if name == "__getitem__" else name)
            return original(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, wrapper)
            seen += run(app, ["/read", "/write", "/permanent", "/write_and_empty"], visitor)
        seen += run(app, ["/rich", "/read"], visitor)
        results.append((seen, bool(called)))
    assert results[0] == results[1]
    assert results[0][1]
