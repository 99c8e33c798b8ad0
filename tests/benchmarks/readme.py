"""The README's section of figures: the main plot and five lines, each of which a line of the report tells in full."""

from __future__ import annotations

import re

from .cells import value
from .report import markdown
from .report import paragraph
from .report import PLOTS
from .results import Results
from .results import Row
from .served import FLASK_SESSION
from .served import NULL
from .served import OURS_REDIS
from .servers import GTHREAD
from .tables import TABLES

START, END = "<!-- benchmarks:start -->", "<!-- benchmarks:end -->"
REPORT = "docs/benchmarks.md"


def with_section(readme: str, results: Results) -> str:
    """The README with the section of these results between its markers."""
    before, _, rest = readme.partition(START)
    _, marked, after = rest.partition(END)
    assert marked, f"README.md lacks {START} or {END}"
    return f"{before}{START}\n{section(results)}\n{END}{after}"


def section(results: Results) -> str:
    """Plot, table, and what they were measured on."""
    cookies, redis = "cookie requests", "redis requests"
    over = {"over": "TCP", "refresh": "on"}
    read = results.find(redis, request="read", **over)
    rows = [
        _times(cookies, "the view reads it", results.find(cookies, request="read")),
        _times(cookies, "the view changes it", results.find(cookies, request="written")),
        _times(redis, "the view reads it", read),
        _times(redis, "the view changes it", results.find(redis, request="written", **over)),
        _rates(results),
    ]
    headings = ["", "no session", "Flask, Flask-Session", "flask-session-rs", "how many times"]
    run = results.run
    machine = "a virtual machine" if run["virtual"] else run["processor"]
    about = (
        "Whole WSGI requests with a session of 253 bytes of JSON, in microseconds, with Flask's own cookie and with"
        " Flask-Session, redis-py and hiredis on Redis; *no session* is an interface that does nothing, so what exceeds"
        " it is what the session costs. The last line is one gunicorn worker with four threads, asked by wrk."
        f" All of it ran on {run['cores']} cores of {machine}; a bare round trip to Redis took"
        f" {value(read['raw']):.0f} us meanwhile, and takes more across a network. [{REPORT}]({REPORT}) says how it was"
        " measured, and holds the rest; `make bench` measures it on your machine."
    )
    return "\n".join(
        [
            f"![{PLOTS['requests']}](docs/benchmarks-requests.svg)",
            "",
            *markdown(headings, rows),
            "",
            *paragraph(about, 120),
        ]
    )


def _link(text: str, table: str) -> str:
    """To the report's table that a line is from."""
    (title,) = (known.title for known in TABLES if known.name == table)
    anchor = re.sub(r"[^a-z0-9 ]", "", title.lower()).replace(" ", "-")
    return f"[{text}]({REPORT}#{anchor})"


def _times(table: str, name: str, row: Row) -> list[str]:
    cookie = "stock" in row
    theirs, ratio = ("stock", "stock_to_ours") if cookie else ("flask_session", "ratio")
    times = [f"{value(row[key]):.1f}" for key in ("null", theirs, "ours")]
    kept = _link("Signed cookie" if cookie else "Redis", table)
    return [f"{kept}, {name}", *times, f"{value(row[ratio]):.2f}"]


def _rates(results: Results) -> list[str]:
    at = {"server": GTHREAD, "cores": "free"}
    rates = [
        f"{value(results.find('load', interface=kind, **at)['rate']):,.0f}"
        for kind in (NULL, FLASK_SESSION, OURS_REDIS)
    ]
    ratio = value(results.find("throughput", **at)["redis"])
    return [f"{_link('Redis', 'load')}, requests a second that read it", *rates, f"{ratio:.2f}"]
