"""The report's tables: which there are, in which order, and what stands above their columns."""

from __future__ import annotations

import typing as t

from .load import CONNECTIONS
from .load import SECONDS
from .load import SESSIONS
from .load import TURNS
from .stores import QUIET_US


class Table(t.NamedTuple):
    """A table by the name that its rows have in the results."""

    name: str
    title: str
    about: str
    #: Key to heading; after a `|`, the form of plain numbers.
    columns: dict[str, str]
    #: The plot that stands above it.
    plot: str = ""


TABLES = (
    Table(
        "cookie requests",
        "Requests with signed cookies",
        "Whole WSGI requests, in microseconds. *null* is an interface that does nothing, *stock* is Flask's. The"
        " session holds 253 bytes of JSON; each interface reads the cookie that it wrote itself.",
        {
            "request": "request",
            "null": "null, us",
            "stock": "stock, us",
            "ours": "ours, us",
            "ours_to_null": "ours / null",
            "stock_to_ours": "stock / ours",
        },
        plot="requests",
    ),
    Table(
        "cookie floor",
        "The least that a cookie costs",
        "The same written request with an interface that appends two ready-made headers, Vary and Set-Cookie, and does"
        " nothing else. werkzeug copies and checks every header of a response once more; a search of each value for"
        " line breaks is most of it. No interface that sets a cookie can come below this.",
        {
            "interface": "interface",
            "null": "null, us",
            "ready": "ready-made cookie, us",
            "ratio": "ready-made / null",
        },
    ),
    Table(
        "redis requests",
        "Requests with sessions in Redis",
        "Whole WSGI requests, in microseconds, with a redis-server on this machine. *null* is an interface that does"
        " nothing, *flask-session* is Flask-Session with redis-py and hiredis at their defaults. *raw GET* is one round"
        " trip of such a record on a bare socket, measured in the same rounds; where over TCP it takes more than"
        f" {QUIET_US:g} us other work is on the cores, and nothing is judged. *refresh* is"
        " SESSION_REFRESH_EACH_REQUEST.",
        {
            "request": "request",
            "refresh": "refresh",
            "over": "over",
            "null": "null, us",
            "flask_session": "flask-session, us",
            "ours": "ours, us",
            "raw": "raw GET, us|{:.1f}",
            "ratio": "flask-session / ours",
        },
    ),
    Table(
        "redis read",
        "What a read adds in Redis",
        "The time of a request that reads its session, less that of one without a session, less one raw round trip; in"
        " proportion to a request without a session of 46 us. A round trip costs more where other work comes before"
        " it, as in an application, than in a row of its like, when server, system and caches are warm: both are"
        " shown, and the shorter one is what the target is set against.",
        {
            "refresh": "refresh",
            "over": "over",
            "raw": "raw in a row, us|{:.1f}",
            "more": "us over that",
            "between": "raw after a request, us|{:.1f}",
            "more_than_between": "us over that one|{:.1f}",
        },
    ),
    Table(
        "redis floor",
        "The least that an exchange with Redis costs",
        "The same requests with an interface that sends ready-made bytes over a bare socket, the command that loads"
        " and, where something is written, a script that compares and sets, waits for each reply, appends ready-made"
        " headers, and does nothing else: nothing is encoded, decoded or looked at. *over a raw round trip* is what it"
        " takes more than a request without a session and a raw round trip in a row, as above, with two round trips"
        " where there are two.",
        {
            "request": "request",
            "refresh": "refresh",
            "over": "over",
            "null": "null, us",
            "ready": "ready-made, us",
            "ours": "ours, us",
            "more": "ready-made over a raw round trip, us|{:.1f}",
            "ratio": "flask-session / ready-made|{:.2f}",
            "ours_ratio": "flask-session / ours|{:.2f}",
        },
    ),
    Table(
        "redis commands",
        "What is sent to Redis",
        "Commands as the server took them (MONITOR; those that a script calls and those that open a connection left"
        " out), and round trips as a relay in front of the server counted them.",
        {
            "request": "request",
            "refresh": "refresh",
            "flask_session": "flask-session",
            "flask_session_trips": "round trips|{:.0f}",
            "ours": "ours",
            "ours_trips": "round trips|{:.0f}",
        },
    ),
    Table(
        "cookie sizes",
        "Written sessions by size, in signed cookies",
        "What a request pays for a session that it reads and writes, in microseconds: its time less that of the same"
        " request with the null interface. Up to 4 KB ours is to cost at most a quarter of stock's, beyond that never"
        " more. Browsers refuse cookies of more than about 4 KB.",
        {
            "size": "JSON, bytes|{:,.0f}",
            "content": "content",
            "stock": "stock, us|{:,.0f}",
            "ours": "ours, us|{:,.0f}",
            "ratio": "stock / ours",
        },
        plot="sizes",
    ),
    Table(
        "redis sizes",
        "Written sessions by size, in Redis",
        "The same over TCP. *raw GET* is one round trip that brings such a record; who writes needs another one.",
        {
            "size": "JSON, bytes|{:,.0f}",
            "content": "content",
            "raw": "raw GET, us|{:,.0f}",
            "flask_session": "flask-session, us|{:,.0f}",
            "ours": "ours, us|{:,.0f}",
            "ratio": "flask-session / ours",
        },
    ),
    Table(
        "redis large",
        "A session of 100 KB in Redis",
        "What a request pays for a session of 100 KB that it reads and changes: its time less that of a request without"
        " a session. *raw* is a GET and a SET of such a record on a bare socket, with msgspec's decoding and encoding"
        " in between.",
        {
            "over": "over",
            "raw": "raw, us|{:.0f}",
            "flask_session": "flask-session, us|{:.0f}",
            "ours": "ours, us|{:.0f}",
            "ratio": "ours / raw",
        },
    ),
    Table(
        "throughput",
        "Throughput of servers",
        "How many times the requests a second of the stock interface a server answers with ours, and of"
        " Flask-Session's; of the figures below.",
        {
            "server": "server",
            "cores": "cores",
            "cookies": "cookies: ours / stock",
            "redis": "Redis: ours / flask-session",
        },
        plot="throughput",
    ),
    Table(
        "load",
        "Servers under load",
        f"Requests that read their session, asked by wrk: {CONNECTIONS} connections, each of which asks again as"
        f" soon as it was answered, as {SESSIONS} visitors in turn. One worker process for each server. Latencies"
        " are in milliseconds, and hold the time that a request waits for its turn: a server that is faster has a"
        f" shorter queue. Figures are medians of {TURNS} rounds of {SECONDS} s in turn (one of 1 s in a quick run);"
        " *±* is half the distance of the fastest and the slowest. *cores*: *free*, wrk, worker and redis-server"
        " share the machine's cores as the kernel likes; *one core*, they share a single one, so that what wrk and"
        " redis-server do takes time from the worker, but nobody waits until another core wakes up. gunicorn's"
        " sync worker closes each connection after its answer.",
        {
            "server": "server",
            "cores": "cores",
            "interface": "interface",
            "rate": "requests / s|{:,.0f}",
            "spread": "±|{:.0%}",
            "p50": "p50, ms|{ms:.2f}",
            "p99": "p99, ms|{ms:.2f}",
            "p999": "p99.9, ms|{ms:.2f}",
        },
        plot="latency",
    ),
    Table(
        "memory",
        "Memory of a worker",
        "Megabytes of a gunicorn worker with four threads that are in memory (VmRSS), after its first request and after"
        " many that write; the median of three starts (one in a quick run). Each worker has imported only what its"
        " interface needs.",
        {
            "interface": "interface",
            "first": "after the first, MB|{:.1f}",
            "requests": "requests|{:,.0f}",
            "last": "after these, MB|{:.1f}",
        },
    ),
    Table(
        "parts",
        "Parts",
        "One call, in microseconds, on the session of 253 bytes of JSON. Each reads what it wrote itself.",
        {
            "call": "call",
            "stock": "stock, us|{:.3f}",
            "ours": "ours, us|{:.3f}",
            "ratio": "stock / ours",
        },
    ),
    Table(
        "footprint",
        "Footprint",
        "Import: the median over fresh interpreters. Wheel: what `make wheel` builds.",
        {"what": "what", "figure": "figure"},
    ),
)
