"""Seeds for every corpus, from the vectors and the generators: `python -m tests.fuzzing.seeds DIRECTORY`."""

import hashlib
import json
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import codec
from .. import generators
from .. import hostile
from .. import records
from ..record_pairs import PAIRS
from . import differential

VECTORS = Path(__file__).parent.parent / "vectors"
LONGEST = 1000
"""Bytes of a seed: a longer one slows a target down and says no more."""

REPLIES = (
    b"+OK\r\n", b"+PONG\r\n", b"-ERR no\r\n", b"-NOAUTH Authentication required.\r\n", b":-12\r\n",
    b":1\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"$5\r\nhello\r\n", b"$5\r\n\r\n$1\r\r\n", b"*-1\r\n", b"*0\r\n",
    b"*2\r\n*0\r\n$1\r\na\r\n", b"*3\r\n:1\r\n*2\r\n+a\r\n+b\r\n_\r\n", b"_\r\n", b"#t\r\n", b",1.5\r\n",
    b"(12345678901234567890\r\n", b"!5\r\nERR x\r\n", b"=5\r\ntxt:a\r\n", b"%0\r\n",
    b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n%1\r\n+c\r\n+d\r\n", b"~2\r\n+a\r\n+b\r\n", b"*1\r\n" * 8 + b":1\r\n",
    b">2\r\n+invalidate\r\n_\r\n", b"|1\r\n+a\r\n+b\r\n+OK\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"$67174401\r\n", b"*4097\r\n", b"$1\r\nabc", b"+OK\n", b"$-2\r\n", b"-WRONGTYPE Operation\r\n",
    b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.15\r\n",
    b"*2\r\n+OK\r\n*1\r\n$3\r\n\x81\xa1a\x01\r\n",
)  # fmt: skip

URLS = (
    "redis://h", "redis://user:\n@h:1/1", "u\nh:6380/2?db=3", "\nh?protocol=3", "u%40\nh#f", "\n[::1]:6379/0",
    "\n/run/redis.sock?db=4", "a\n/run/r%20s.sock", "redis://h:65536", "redis://h/x", "redis://h?db=1&db=2",
    "rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false", "h\n&username=c", "h\n&x=1", "redis://:\n#w@h",
    "redis://:\n@word@h:x", "unix://:\n@x/p", "redis://:p@h?\n=1", "redis://\n%ff@h", "\xe9\nb\xfccher.example",
    "\nh?ssl_ca_certs=/etc/ca.pem", "redis+unix:///s?password=\n", "", "localhost:6379", "\nh:0", "\n0x7f.1",
)  # fmt: skip

WIDTHS = {
    0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip


def edges() -> bytes:
    """An array of the integers about which a width ends, each in every width that holds it."""
    ends = [1 << bits for bits in (5, 7, 8, 15, 16, 31, 32, 63, 64)]
    numbers = [sign * end + by for end in ends for sign in (1, -1) for by in (-1, 0, 1)]
    items = []
    for number in numbers:
        for marker, width in WIDTHS.items():
            try:
                items.append(bytes((marker,)) + struct.pack(width, number))
            except struct.error:  # it has not that width
                continue
    return struct.pack(">BH", 0xDC, len(items)) + b"".join(items)


def many(count: int) -> Iterator[bytes]:
    """Records of so many entries, the last but one a key that is there already: a longer one has an index."""
    keys = [*range(count), 3, count]
    yield struct.pack(">BH", 0xDE, len(keys)) + b"".join(bytes((key, 0xC0)) for key in keys)
    yield (
        json.dumps({str(key): key for key in keys}).encode()[:-1]
        + b', "3": [], "_permanent": true}'
    )


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def headers() -> Iterator[bytes]:
    tokens = [codec.Oracle().dumps(generators.session(seed)) for seed in range(20)]
    for row in vectors("cookies")[::4]:
        yield row["header"].encode()
    for _, header in hostile.cookies([token for token in tokens if len(token) < 300], 60):
        yield header.encode("latin-1")
    for row in vectors("set_cookies")[:10]:
        yield row["sample"].encode()


def tokens() -> Iterator[bytes]:
    for row in vectors("tokens")["tokens"]:
        yield row["token"].encode()
        yield row["json"].encode()
    for row in vectors("leniency")["rows"]:
        yield bytes.fromhex(row["token"])
    valid = [codec.Oracle().dumps({"a": 1}), codec.CODEC.dumps({"_permanent": True}, codec.NOW)]
    for token, _ in hostile.cookies(valid, 60):
        yield token.encode("latin-1")


def texts() -> Iterator[bytes]:
    for seed in range(120):
        try:
            yield codec.json_of(codec.CODEC.dumps(generators.session(seed), codec.NOW))
        except Exception:  # a session that cannot be written
            continue
    yield from (b'{"_permanent":true}', b'{"a":"\\ud83d\\ude00"}', b'{"\\u005fpermanent":false}')
    yield from (
        b"[1e5,-0.0,5e-324,1E+2]",
        b"1234567890123456789",
        b'"\xc3\xa9"',
        b"[[[[]]]]",
        b"nul",
        b'{"a":[1,2,3],"b":[]}',
        b'{"_flashes":[{" t":["message","hi"]},{" t":["error",1.5,null]}],"user":7}',
        b'{"cart":[{"id":1,"n":2},{"id":2,"n":-0.0}],"seen":{" d":"Wed, 21 Oct 2015 07:28:00 GMT"}}',
    )


def packed(format: str) -> Iterator[bytes]:
    chance = random.Random(1)
    for seed in range(150):
        try:
            record = PAIRS[format].oracle.dumps(records.record(seed))
        except Exception:  # a record that cannot be written
            continue
        yield record
        yield records.mutated(record, chance)
    yield from (
        b"\x81\xc0\xd6\xff\0\0\0\x01",
        b"\x91" * 40 + b"\xc0",
        b"\xdf\0\0\0\x01\xa1a\xca\0\0\0\0",
    )


def chosen(kinds: int, inputs: Iterator[bytes]) -> Iterator[bytes]:
    """Each with a first byte that makes another choice."""
    for number, data in enumerate(inputs):
        yield bytes((number % kinds,)) + data


def corpora() -> dict[str, Iterator[bytes]]:
    def compared() -> Iterator[bytes]:
        sources = (tokens(), texts(), headers(), packed("msgpack"), packed("json"))
        for kind, inputs in enumerate(sources):
            for data in inputs:
                yield bytes((kind,)) + data
        for around in (b"session=\n\n; a=b", b'a="; session="\n\n"', b"session=x; session=\n\n"):
            yield b"\x02" + around

    def records_of_both() -> Iterator[bytes]:
        yield edges()
        for count in (15, 16, 17, 18, 40):
            yield from many(count)
        yield from packed("msgpack")
        yield from packed("json")

    return {
        "cookie": headers(),
        "token": chosen(12, tokens()),
        "json": texts(),
        "msgpack": records_of_both(),
        "reply": (bytes((step,)) + reply for reply in REPLIES for step in (0, 1, 3)),
        "url": (bytes((kind,)) + url.encode() for url in URLS for kind in range(24)),
        "differential": compared(),
    }


def main(directory: Path) -> None:
    with differential.prepare():
        for name, inputs in corpora().items():
            folder = directory / name
            folder.mkdir(parents=True, exist_ok=True)
            for data in inputs:
                if len(data) <= LONGEST:
                    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
