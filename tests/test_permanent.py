"""Permanent sessions slide without being read: what is sealed again is what Flask would write."""

import json
import zlib
from typing import Any

import flask
import pytest
from flask.sessions import session_json_serializer
from itsdangerous import TimestampSigner
from itsdangerous.encoding import base64_encode

from .changes import CHANGES
from .clock import Clock
from .flavours import BOTH
from .flavours import FLASK
from .flavours import Flavour
from .flavours import NATIVE
from .views import session_app
from .visits import Answer
from .visits import new_app
from .visits import visit
from .visits import Visitor

pytestmark = pytest.mark.usefixtures("clock", "plain")


def signer(app: flask.Flask) -> TimestampSigner:
    return TimestampSigner(app.secret_key, salt="cookie-session", key_derivation="hmac")  # type: ignore[arg-type]


def sealed(payload: str | bytes, *, deflate: bool = False) -> str:
    """The payload, signed as Flask signs."""
    data = payload.encode() if isinstance(payload, str) else payload
    text = b"." + base64_encode(zlib.compress(data)) if deflate else base64_encode(data)
    return signer(new_app(None)).sign(text).decode()


def content(answer: Answer) -> str | None:
    """What the Set-Cookie of an answer holds, as Flask would write it, or None without one."""
    if not (lines := answer.header("Set-Cookie")):
        return None
    value = lines[0].partition("=")[2].partition(";")[0]
    if not value:
        return lines[0]
    app = new_app(FLASK.interface())
    with app.app_context():
        serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        session = app.session_interface.session_class(serializer.loads(value))  # type: ignore[attr-defined]
        return session_json_serializer.dumps(dict(session)) + lines[0].partition(";")[2]


CANONICAL = [
    '{"_permanent":true}',
    '{"_permanent":true,"a":1}',
    '{"_permanent":false,"a":1}',
    '{"A":1,"_permanent":true,"a":{"_permanent":false}}',
    '{"a":{"_permanent":true}}',
    '{"a":[{"_permanent":true}]}',
    '{"a":"\\"_permanent\\":true"}',
    '{"A":"x\\\\","_permanent":true}',
    '{"A":"\\\\\\"","_permanent":true}',
    '{"A":"{","_permanent":true}',
    '{"A":["]",{"}":"\\"_permanent\\":false"}],"_permanent":true}',
    '{"_permanent":1}',
    '{"_permanent":0,"a":1}',
    '{"_permanent":0.0,"a":1}',
    '{"_permanent":-0.0,"a":1}',
    '{"_permanent":null,"a":1}',
    '{"_permanent":"","a":1}',
    '{"_permanent":"false","a":1}',
    '{"_permanent":"true","a":1}',
    '{"_permanent":[],"a":1}',
    '{"_permanent":[false],"a":1}',
    '{"_permanent":{},"a":1}',
    '{"_permanent":{"a":1,"b":2},"a":1}',
    '{"_permanent":{" b":""},"a":1}',
    '{"_permanent":{" b":"AA=="},"a":1}',
    '{"_permanent":{" t":[]},"a":1}',
    '{"_permanent":{" t":[1]},"a":1}',
    '{"_permanent":{" m":""},"a":1}',
    '{"_permanent":{" di":{" t__":[]}},"a":1}',
    '{"_permanent":NaN,"a":1}',
    '{"_permanent_":true,"a":1}',
    '{"a_permanent":true,"b":1}',
    '{"Permanent":true,"a":1}',
    '{"_permanent":true,"n":[1.5,1e+16,1e-07,NaN,Infinity,-Infinity,123456789012345678901234567890]}',
    '{"_permanent":true,"s":"\\ud800 \\u007f \\u00e4 \\ud83d\\ude00 \\b\\f\\n\\r\\t\\"\\\\/"}',
    '{"_permanent":true,"t":[{" t":[1]},{" b":"AP8="},{" m":"<b>"},'
    '{" u":"00000000000000000000000000000005"},{" d":"Thu, 29 Feb 2024 12:30:15 GMT"},'
    '{" di":{" t__":1}}]}',
]
"""Payloads as Flask writes them, permanent or not at all, or hardly."""

FOREIGN = [
    ' { "_permanent" : true , "a" : 1 } ',
    '{"a":1,"_permanent":true}',
    '{"\\u005fpermanent":true,"a":1}',
    '{"_perm\\u0061nent":true,"a":1}',
    '{"_permanent":true,"_permanent":false,"a":1}',
    '{"_permanent":false,"_permanent":true,"a":1}',
    '{"_permanent":true,"\\u005fpermanent":false,"a":1}',
    '{"_permanent":true,"a":1,"a":2}',
    '{"_permanent":0e5,"a":1}',
    '{"_permanent":-0,"a":1}',
    '{"_permanent":"\\u0000","a":1}',
    '{"_permanent":true,"a":1.0E5,"b":1e400,"c":-1e400,"d":1E-400}',
    '{"_permanent":true,"a":"\u00e4 raw \U0001f600"}',
    '{"_permanent":true,"a":{" d":"Thu, 29 Feb 2024 12:30:15 +0200"}}',
    '{"_permanent":true,"a":{" d":"not a date"}}',
    '{"_permanent":true,"a":{" u":"00000000-0000-0000-0000-000000000005"}}',
    '{"_permanent":true,"a":{" b":"A P 8 ="}}',
    '{"_permanent":true,"a":{" di":{"b":1}}}',
    '{"_permanent":true,"a":{" di":{" t__":1,"c":2}}}',
    '{"b":1,"a":{"z":1,"a":2},"_permanent":true}',
]
"""Payloads that someone else signed with the right key: as valid, and not as Flask writes them."""


NO_OBJECTS = [
    '{" di":{"_permanent__":true}}',
    '[["_permanent",true],["a",1]]',
    '{" t":[{" t":["_permanent",true]}]}',
    "[]",
    "null",
    '""',
]
"""Payloads that are no JSON object, out of which Flask makes a session all the same."""


@pytest.mark.parametrize("payload", CANONICAL)
@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("path", ["/untouched", "/flags", "/read", "/write", "/modified"])
def test_canonical(payload: str, refresh: bool, path: str) -> None:
    stock, native = (
        visit(
            session_app(f.interface(), SESSION_REFRESH_EACH_REQUEST=refresh),
            path,
            f"session={sealed(payload)}",
        )
        for f in BOTH
    )
    assert native == stock


@pytest.mark.parametrize("payload", FOREIGN)
@pytest.mark.parametrize("path", ["/untouched", "/flags", "/read", "/write", "/modified"])
@pytest.mark.parametrize("deflate", [True, False])
def test_foreign(payload: str, path: str, deflate: bool) -> None:
    """The bytes may be those that came; what they mean may not change."""
    token = sealed(payload, deflate=deflate)
    stock, native = (visit(session_app(f.interface()), path, f"session={token}") for f in BOTH)
    assert content(native) == content(stock)
    assert (native.status, native.body) == (stock.status, stock.body)
    assert native.header("Vary") == stock.header("Vary")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("first", ["read", "not read"])
def test_changes_behind_its_back(change: str, first: str) -> None:
    """A permanent session is sealed anew at each request, with whatever is in it by then."""

    def answer(flavour: Flavour) -> Answer:
        app = new_app(flavour.interface())

        @app.get("/change")
        def view() -> str:
            session: Any = flask.session._get_current_object()  # type: ignore[attr-defined]
            if first == "read":
                assert session["a"] == 1
            CHANGES[change](session)
            return "changed"

        nested = ',"list":[1]' if "inside" in change else ""
        token = sealed('{"_permanent":true,"a":1' + nested + "}")
        return visit(app, "/change", f"session={token}")

    assert answer(NATIVE) == answer(FLASK)


@pytest.mark.parametrize("payload", NO_OBJECTS)
@pytest.mark.parametrize("path", ["/untouched", "/read"])
def test_no_objects(payload: str, path: str) -> None:
    """An empty session, or what Flask makes of it."""
    cookie = f"session={sealed(payload)}"
    stock, native = (visit(session_app(f.interface()), path, cookie) for f in BOTH)
    assert (native.status, native.logged) == ("200 OK", [])
    assert native.body in (stock.body, "dict{}")
    assert content(native) in (content(stock), None)


@pytest.mark.parametrize("path", ["/untouched", "/read"])
def test_compressed_tokens_slide(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # with compression, and with the real clock
    payload = '{"_permanent":true,"a":"%s"}' % ("text " * 400)
    token = sealed(payload, deflate=True)
    stock, native = (
        visit(session_app(f.interface_class()), path, f"session={token}") for f in BOTH
    )
    for answer in (stock, native):
        assert "=." in answer.header("Set-Cookie")[0]
    assert str(content(native)).partition("}")[0] == str(content(stock)).partition("}")[0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "E"),
        lambda token: "A" + token,
        lambda token: token.rpartition(".")[0],
        lambda token: token.replace(".", "..", 1),
        lambda token: "." + token,
    ],
)
@pytest.mark.parametrize("path", ["/untouched", "/flags", "/read"])
def test_forged_tokens_do_not_slide(flavour: Flavour, spoil: Any, path: str) -> None:
    token = spoil(sealed('{"_permanent":true,"a":1}'))
    answer = visit(session_app(flavour.interface()), path, f"session={token}")
    assert answer.status == "200 OK"
    assert answer.header("Set-Cookie") == []


@pytest.mark.parametrize("path", ["/untouched", "/read", "/write"])
def test_every_second_has_a_date_of_its_own(path: str, clock: Clock) -> None:
    """Of the application's own lifetime, too; and a clock may be set back."""
    answers: dict[Flavour, list[Answer]] = {flavour: [] for flavour in BOTH}
    apps = [
        (flavour, session_app(flavour.interface(), PERMANENT_SESSION_LIFETIME=lifetime))
        for lifetime in (3600, 86_400)
        for flavour in BOTH
    ]
    token = sealed('{"_permanent":true,"a":1}')
    for step in (0, 0.1, 0.5, 1, 3600 - 86_400, 86_400 - 3600):
        clock.advance(step)
        for flavour, app in apps:
            answers[flavour].append(visit(app, path, f"session={token}"))
    assert answers[NATIVE] == answers[FLASK]


def test_expired_tokens_do_not_slide(flavour: Flavour, clock: Clock) -> None:
    app = session_app(flavour.interface(), PERMANENT_SESSION_LIFETIME=60)
    visitor = Visitor(app)
    visitor.get("/only_permanent")
    for _ in range(5):
        clock.advance(59)
        assert len(visitor.get("/untouched").header("Set-Cookie")) == 1
    clock.advance(61)
    assert visitor.get("/untouched").header("Set-Cookie") == []


def test_rotated_keys_slide_to_the_newest(flavour: Flavour) -> None:
    app = session_app(flavour.interface(), SECRET_KEY="two", SECRET_KEY_FALLBACKS=["a key"])
    visitor = Visitor(app)
    visitor.jar["session"] = sealed('{"_permanent":true,"a":1}')
    visitor.get("/untouched")
    app.config["SECRET_KEY_FALLBACKS"] = None
    assert visitor.get("/read").body == "dict{str '_permanent': bool True, str 'a': int 1}"


@pytest.mark.parametrize("sort_keys", [True, False])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_another_json_style_since_then(sort_keys: bool, ensure_ascii: bool) -> None:
    """A token written under other settings of `app.json` keeps its meaning."""
    token = sealed(json.dumps({"b": 1, "_permanent": True, "a": "ä"}, ensure_ascii=False))
    answers = []
    for flavour in BOTH:
        app = session_app(flavour.interface())
        app.json.sort_keys, app.json.ensure_ascii = sort_keys, ensure_ascii  # type: ignore[attr-defined]
        answers.append([visit(app, path, f"session={token}") for path in ("/untouched", "/read")])
    assert [content(a) for a in answers[0]] == [content(a) for a in answers[1]]


def test_odd_payload_that_is_permanent_is_no_error() -> None:
    """Whether it slides is left open; that it is neither an error nor believed is not."""
    for rest in (',"a":{" u":5}}', ',"a":}', "", ',"a":1}}'):
        payload = '{"_permanent":true' + rest
        app = session_app(NATIVE.interface())
        assert visit(app, "/untouched", f"session={sealed(payload)}").status == "200 OK"
        answer = visit(app, "/read", f"session={sealed(payload)}")
        assert (answer.status, answer.body) == ("200 OK", "dict{}")


MEANWHILE: dict[str, dict[str, Any]] = {
    "key": {"SECRET_KEY": "another key"},
    "no key": {"SECRET_KEY": None},
    "name": {"SESSION_COOKIE_NAME": "other"},
    "lifetime": {"PERMANENT_SESSION_LIFETIME": 0},
    "refresh": {"SESSION_REFRESH_EACH_REQUEST": False},
}


@pytest.mark.parametrize("when", ["before_request", "after_request"])
@pytest.mark.parametrize("valid", ["before", "after"])
@pytest.mark.parametrize("path", ["/untouched", "/flags", "/read"])
@pytest.mark.parametrize("change", MEANWHILE)
def test_settings_that_change_meanwhile(
    change: str, path: str, valid: str, when: str, clock: Clock
) -> None:
    """A cookie is judged by the settings at the beginning of the request, and sealed by those at its end."""

    def seen(flavour: Flavour) -> list[Answer]:
        app = session_app(flavour.interface())
        before = {name: app.config[name] for name in MEANWHILE[change]}
        due: list[bool] = []

        def meanwhile(*response: Any) -> Any:
            if due:
                app.config.update(MEANWHILE[change])
            return response[0] if response else None

        getattr(app, when)(meanwhile)
        visitor = Visitor(app)
        if valid == "after":
            app.config.update(MEANWHILE[change])
        first = [visitor.get("/permanent"), visitor.get("/write")]
        clock.advance(5)
        app.config.update(before)
        due.append(True)
        answers = [*first, visitor.get(path)]
        clock.advance(-5)
        return answers

    stock, native = map(seen, BOTH)
    assert native == stock
