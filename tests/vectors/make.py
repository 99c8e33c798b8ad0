"""The answers of Flask's own libraries, as data: what the Rust and the Python tests are held to.

Run with Flask installed: ``python tests/vectors/make.py``. The same versions give the same files.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
import struct
import typing as t
import warnings
import zlib
from datetime import datetime
from datetime import timezone
from pathlib import Path

from flask.sessions import session_json_serializer
from itsdangerous import BadData
from itsdangerous import TimestampSigner
from itsdangerous import URLSafeTimedSerializer
from werkzeug.http import dump_cookie
from werkzeug.http import http_date
from werkzeug.sansio.http import parse_cookie

HERE = Path(__file__).parent
SALT = "cookie-session"
NOW = 1_700_000_000
DIGESTS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}
DERIVATIONS = ["concat", "django-concat", "hmac", "none"]

# Oldest to newest. Hex, because not all of them are text.
SECRETS: dict[str, list[str | bytes]] = {
    "text": ["dev"],
    "not ASCII": ["schlüssel"],
    "bytes": [b"\x00\xff.=\n"],
    "empty": [""],
    "one SHA-1 block": ["k" * 64],
    "longer than a SHA-1 block": ["k" * 65],
    "longer than a SHA-512 block": [bytes(range(256))],
    "rotated": ["oldest", b"middle", "newest"],
}

SESSIONS: dict[str, dict[str, t.Any]] = {
    "empty": {},
    "small": {"user": 7},
    "permanent": {"_permanent": True, "user_id": "42", "_fresh": True},
    "not ASCII": {"name": "Zoë \U0001f600", "del": "\x7f"},
    "tagged": {"t": (1, 2), "b": b"\x00", "d": datetime(2024, 2, 29, tzinfo=timezone.utc)},
    "compressed": {"list": list(range(100)), "text": "spam " * 100},
}


class FrozenSigner(TimestampSigner):
    now = NOW

    def get_timestamp(self) -> int:
        return self.now


class TextSerializer:
    """Takes and gives JSON text instead of objects."""

    @staticmethod
    def loads(text: str) -> str:
        return text

    @staticmethod
    def dumps(text: t.Any) -> str:
        # itsdangerous first asks with a dict, to learn whether text or bytes come out.
        return text if isinstance(text, str) else ""


def serializer(secrets: list[t.Any], digest: str, derivation: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        secrets,
        salt=SALT,
        serializer=TextSerializer(),
        signer=FrozenSigner,
        signer_kwargs={"key_derivation": derivation, "digest_method": DIGESTS[digest]},
    )


def as_hex(secrets: list[str | bytes]) -> list[str]:
    return [(s.encode() if isinstance(s, str) else s).hex() for s in secrets]


def with_flask_json(session: dict[str, t.Any]) -> str:
    # Flask's serializer asks the application for its JSON; the default provider's settings.
    return json.dumps(session_json_serializer.tag(session), sort_keys=True, separators=(",", ":"))


def tokens() -> t.Any:
    rows = []
    for digest, derivation, (name, secrets) in itertools.product(
        DIGESTS, DERIVATIONS, SECRETS.items()
    ):
        for session_name, session in SESSIONS.items():
            text = with_flask_json(session)
            token = serializer(secrets, digest, derivation).dumps(text)
            rows.append(
                {
                    "name": f"{digest}, {derivation}, {name}, {session_name}",
                    "digest": digest,
                    "derivation": derivation,
                    "secrets": as_hex(secrets),
                    "json": text,
                    "now": NOW,
                    "token": token,
                    "compressed": token.startswith("."),
                }
            )
    for now in [0, 1, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32, 2**56 - 1, 2**63, 2**64 - 1]:
        signer = serializer(["dev"], "sha1", "hmac")
        FrozenSigner.now = now
        rows.append(
            {
                "name": f"issued at {now}",
                "digest": "sha1",
                "derivation": "hmac",
                "secrets": as_hex(["dev"]),
                "json": "{}",
                "now": now,
                "token": signer.dumps("{}"),
                "compressed": False,
            }
        )
    FrozenSigner.now = NOW
    return {"salt": SALT, "tokens": rows}


def leniency() -> t.Any:
    """Tokens with a right signature that are odd in some other way, and odd signatures."""
    signer = FrozenSigner("dev", salt=SALT, key_derivation="hmac")

    def sign(signed: bytes) -> bytes:
        return signed + b"." + signer.get_signature(signed)

    now = base64.urlsafe_b64encode(NOW.to_bytes(4, "big")).rstrip(b"=")
    good = sign(b"e30." + now)
    zipped = zlib.compress(b'{"a":"' + b"a" * 99 + b'"}')

    def b64(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    def at(time: bytes) -> bytes:
        return sign(b"e30." + time)

    # The last column: whether we accept it. What itsdangerous says is asked.
    table: list[tuple[str, bytes, bool]] = [
        ("as issued", good, True),
        ("no token", b"", False),
        ("no dot", b"e30", False),
        ("one dot", sign(b"e30"), False),
        ("dots only", b"...", False),
        ("signature missing", b"e30." + now + b".", False),
        ("signature padded", good + b"=", False),
        ("signature padded twice", good + b"==", False),
        ("signature with a newline", good + b"\n", False),
        ("signature with a foreign character", good[:-3] + b"!" + good[-3:], False),
        ("signature with four foreign characters", good[:-3] + b"!!!!" + good[-3:], False),
        ("signature cut", good[:-1], False),
        # 20 bytes leave two bits of the last character unused.
        ("signature with stray bits", good[:-1] + bytes([good[-1] + 1]), False),
        ("signature of another key", good[:-2] + b"AA", False),
        ("signature of another payload", b"e31" + good[3:], False),
        ("time empty, which is 0", at(b""), True),
        ("time with leading zero bytes", at(b64(NOW.to_bytes(5, "big"))), True),
        ("time of eight bytes", at(b64(NOW.to_bytes(8, "big"))), True),
        ("time of nine bytes", at(b64(NOW.to_bytes(9, "big"))), False),
        ("time padded", at(now + b"=="), False),
        ("time with stray bits", at(now[:-1] + bytes([now[-1] + 1])), False),
        ("time with a foreign character", at(b"!" + now), False),
        ("time of a single character", at(b"A"), False),
        ("time with the standard alphabet", at(b"++++"), False),
        ("one second old", at(b64((NOW - 1).to_bytes(4, "big"))), True),
        ("one second ahead", at(b64((NOW + 1).to_bytes(4, "big"))), False),
        ("payload empty", sign(b"." + now), True),
        ("payload a dot", sign(b".." + now), False),
        ("payload with dots in it", sign(b"e30.e30." + now), False),
        ("payload padded", sign(b"e30=." + now), False),
        ("payload with stray bits", sign(b"e31." + now), False),
        ("payload with a foreign character", sign(b"e!30." + now), False),
        ("payload with four newlines", sign(b"e30\n\n\n\n." + now), False),
        ("payload with the standard alphabet", sign(b"ey++fQ." + now), False),
        ("payload of a single character", sign(b"e." + now), False),
        ("payload not ASCII", sign("é30.".encode() + now), False),
        ("payload deflated", sign(b"." + b64(zipped) + b"." + now), True),
        ("payload deflated, stored", sign(b"." + b64(zlib.compress(b"{}", 0)) + b"." + now), True),
        ("payload deflated, cut", sign(b"." + b64(zipped[:-1]) + b"." + now), False),
        ("payload deflated, no checksum", sign(b"." + b64(zipped[:-4]) + b"." + now), False),
        ("payload deflated, wrong sum", sign(b"." + b64(zipped[:-1] + b"?") + b"." + now), False),
        ("payload deflated, more behind", sign(b"." + b64(zipped + b"?") + b"." + now), True),
        ("payload deflated, no header", sign(b"." + b64(zipped[2:]) + b"." + now), False),
        ("payload not deflated behind a dot", sign(b".e30." + now), False),
    ]
    rows = []
    for name, token, ours in table:
        try:
            text = serializer(["dev"], "sha1", "hmac").loads(token, max_age=NOW)
        except (BadData, UnicodeDecodeError):
            text = None
        assert text is not None or not ours, name
        rows.append({"name": name, "token": token.hex(), "itsdangerous": text, "accepted": ours})
    return {"salt": SALT, "secret": b"dev".hex(), "now": NOW, "max_age": NOW, "rows": rows}


def cookies() -> t.Any:
    random_source = random.Random("cookies")
    headers = [
        "",
        ";",
        ";;;",
        "session",
        "session=",
        "session= ",
        "session=;",
        "session;",
        " session = a ; b=c",
        "\tsession\t=\ta\t;b=c",
        "session=a",
        "session=a; session=b",
        "session; session=b",
        "session=a=b=c",
        "session==",
        "=session",
        "=;session=a",
        "=a; session=b",
        "b=c; session=a",
        "b=c;session=a",
        "b=c; session=a; d=e",
        "xsession=a; session=b",
        "sessionx=a; session=b",
        "Session=a; SESSION=b; session=c",
        "session a; session=b",
        "session=a b; session=c",
        "session=a\tb; session=c",
        'session=a"b; session=c',
        'session"=a; session=c',
        'session=""',
        'session="',
        'session="; session=b',
        'session="a',
        'session="a"',
        'session="a";',
        'session="a" ; b=c',
        'session="a" b; session=c',
        'session="a"b; session=c',
        'session="a;b"',
        'session="a;b; session=c',
        'b="x;session=a"; session=c',
        'b="x;session=a; session=c',
        'b="x;session=a"y; session=c',
        'b="x";session=a',
        'b="\\";session=a"; session=c',
        'session="a\\"b"',
        'session="a\\\\"',
        'session="a\\',
        'session="a\\"',
        'session="\\141\\054\\377"',
        'session="\\303\\251"',
        'session="\\400"',
        'session="\\08"',
        'session="\\1"',
        'session="\\12"',
        'session="\\1234"',
        'session="a\\\nb"; session=c',
        'session="a\nb"',
        "session=a\nb",
        "session=a\x00b",
        "session=a,b; session=c",
        "session=é",
        'session="é"',
        'session="\\é"',
        "sessioné=a; session=b",
        "session=\u00a0a",
        "session=a\u00a0; b",
        "session=\x0ba",
        "\nsession=a",
        "session\n=a; session=b",
        "é; session=a",
        "a" * 4000 + "; session=b",
        "a=" + "b" * 4000 + "; session=c",
        "session=" + "c" * 4000,
        " " * 300 + "session=a",
        "session=" + " " * 300 + "a",
        "session=a" + " " * 300,
    ]
    pieces = ["session", "session=", "s=", "a", "=", ";", "; ", " ", "\t", '"', "\\", "\n", "\\1"]
    pieces += ["01", "\\073", "é", ",", '="', '";', "session=", '\\"', "\x7f", "\U0001f600", "\r"]
    for _ in range(400):
        count = random_source.randrange(1, 24)
        headers.append("".join(random_source.choices(pieces, k=count)))
    # Mostly well formed, so that a value is found as often as not.
    blanks = ["", "", "", " ", "\t "]
    names = ["session", "session", "s", "é", "session"]
    inner = ["a", "b=c", ";", " ", ";session=x", '\\"', "\\\\", "\\073", "\\\n", "\n", "é"]
    for _ in range(800):
        items = []
        for _ in range(random_source.randrange(1, 5)):
            value = "".join(random_source.choices(inner, k=random_source.randrange(4)))
            if random_source.random() < 0.6:
                value = f'"{value}"'
            parts = [random_source.choice(names), random_source.choice(["=", "=", "=", ""]), value]
            items.append("".join(random_source.choice(blanks) + part for part in parts))
        headers.append((random_source.choice(blanks) + ";").join(items))
    rows = []
    for header, name in itertools.chain(
        ((header, "session") for header in headers),
        [("é=a; b=c", "é"), ("a=b", ""), ("=b", ""), ("s =a", "s "), ('"=a', '"'), ("a=b", "a=")],
    ):
        # What is no text once it is unquoted comes back with U+FFFD in it.
        found = parse_cookie(header).get(name)
        rows.append({"name": name, "header": header, "value": found})
    return rows


def set_cookies() -> t.Any:
    settings: list[dict[str, t.Any]] = [
        {},
        {"path": None},
        {"path": "/a b;c", "httponly": True},
        {"domain": "example.com", "secure": True, "httponly": True, "samesite": "Lax"},
        {"samesite": "None", "partitioned": True},
        {"max_age": 60, "sync_expires": False},
    ]
    rows = []
    for setting, dated in itertools.product(settings, [False, True]):
        value, date = "eyJ1c2VyIjo3fQ.VicHgA.X1yvf9ymbUIwdPJDdu1UV6Yqbm8", datetime(2015, 10, 21)
        expires: dict[str, t.Any] = {"expires": date} if dated else {}
        marked: dict[str, t.Any] = {"expires": "EXPIRES-MARKER"} if dated else {}
        rows.append(
            {
                "sample": dump_cookie("session", "VALUE-MARKER", **setting, **marked),
                "value": value,
                "expires": http_date(date) if dated else None,
                "header": dump_cookie("session", value, **setting, **expires),
            }
        )
    return rows


def dates() -> t.Any:
    random_source = random.Random("dates")
    first = -62_135_596_800  # 0001-01-01
    last = 253_402_300_799  # 9999-12-31T23:59:59
    seconds = [first, first + 1, last - 1, last, -1, 0, 1, 86_399, 86_400, 1_445_412_480]
    for year in [4, 100, 400, 1000, 1600, 1899, 1900, 1968, 1970, 2000, 2024, 2038, 2100, 9996]:
        for month, day in [(1, 1), (2, 28), (3, 1), (12, 31)]:
            moment = datetime(year, month, day, 23, 59, 59, tzinfo=timezone.utc)
            seconds += [int(moment.timestamp()) + step for step in (0, 1)]
    seconds += [random_source.randint(first, last) for _ in range(500)]
    rows: list[t.Any] = [[second, http_date(utc(second))] for second in seconds]
    return rows + [[second, None] for second in (first - 1, last + 1, -(2**63), 2**63 - 1)]


def utc(second: int) -> datetime:
    # Without `fromtimestamp`, whose range depends on the platform.
    days, rest = divmod(second, 86_400)
    ordinal = datetime.fromordinal(days + datetime(1970, 1, 1).toordinal())
    moment = ordinal.replace(hour=rest // 3600, minute=rest // 60 % 60, second=rest % 60)
    return moment.replace(tzinfo=timezone.utc)


def floats() -> t.Any:
    random_source = random.Random("floats")
    numbers = [0.0, -0.0, 1.0, -1.5, 0.1, 0.3, 1 / 3, 5e-324, 2.2250738585072014e-308, float("nan")]
    numbers += [1.7976931348623157e308, float("inf"), float("-inf"), 123456789012345.6, 2.0**53]
    for exponent in range(-30, 30):
        numbers += [10.0**exponent, 1.5 * 10.0**exponent, -9.999999999999999 * 10.0**exponent]
    # Powers of two have neighbours at unequal distances, and ties between shortest forms.
    numbers += [2.0**exponent for exponent in range(-1074, 1024)]
    numbers += [random_source.uniform(-1e6, 1e6) for _ in range(300)]
    numbers += [round(random_source.uniform(-1e6, 1e6), 2) for _ in range(300)]
    for _ in range(2000):
        numbers.append(struct.unpack(">d", random_source.randbytes(8))[0])
    return [[struct.pack(">d", number).hex(), json.dumps(number)] for number in numbers]


def strings() -> t.Any:
    random_source = random.Random("strings")
    texts = ["", *map(chr, range(0x120)), "\u2028\u2029\ufeff\uffff", "\U00010000\U0010ffff"]
    texts += ["a" * n + '"' + "b" * n for n in range(40)]
    texts += ["user_id", "spam " * 200, "</script>", "Zoë", "\ud7ff\ue000"]
    alphabet = "abcdefghijkl mnop" * 4 + '"\\/\n\x7f\x00é€\U0001f600'
    texts += ["".join(random_source.choices(alphabet, k=n)) for n in range(150)]
    # In hex, so that reading this file does not depend on what is tested.
    return [[text.encode().hex(), json.dumps(text)] for text in texts]


def write(name: str, rows: t.Any) -> None:
    # One row a line: a change of one is one line of a diff.
    def line(row: t.Any) -> str:
        return json.dumps(row, separators=(",", ":"))

    if isinstance(rows, dict):
        head = {key: value for key, value in rows.items() if not isinstance(value, list)}
        [(key, items)] = [(key, value) for key, value in rows.items() if isinstance(value, list)]
        text = f"{line(head)[:-1]},{line(key)}:[\n" + ",\n".join(map(line, items)) + "\n]}\n"
    else:
        text = "[\n" + ",\n".join(map(line, rows)) + "\n]\n"
    (HERE / f"{name}.json").write_text(text, encoding="ascii")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of cookies too large for browsers
    for make in (tokens, leniency, cookies, set_cookies, dates, floats, strings):
        write(make.__name__, make())
