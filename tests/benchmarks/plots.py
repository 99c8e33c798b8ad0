"""A run's figures as SVG: the same bytes for the same figures, and to be read on white and on black."""

from __future__ import annotations

import hashlib
import importlib
import json
import typing as t
from pathlib import Path

from .cells import value
from .report import PLOTS
from .results import Results
from .results import Row
from .served import FLASK_SESSION
from .served import NULL
from .served import OURS
from .served import OURS_REDIS
from .served import STOCK

#: Half-way between white and the dark of a page: text has a contrast of 4 or more to both, areas of 3.
TEXT, GRID = "#767b83", "#80808040"
COLOURS = {
    NULL: "#85898f",
    STOCK: "#c9742a",
    FLASK_SESSION: "#b5528c",
    OURS: "#3b82d6",
    OURS_REDIS: "#14958f",
}
NAMES = {
    NULL: "no session",
    STOCK: "Flask",
    FLASK_SESSION: "Flask-Session",
    OURS: "flask-session-rs",
    OURS_REDIS: "flask-session-rs on Redis",
}
STYLE = {
    # Text stays text: small, searchable, and in a font of the reader's machine of the same widths.
    "svg.fonttype": "none",
    "svg.hashsalt": "flask-session-rs",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 10,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": GRID,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "grid.color": GRID,
    "legend.frameon": False,
    "savefig.transparent": True,
}
#: matplotlib's objects: it is there when plots are drawn, and not when types are checked.
Axes: t.TypeAlias = t.Any
Figure: t.TypeAlias = t.Any
#: The tables that each plot shows.
SHOWN = {
    "requests": ("cookie requests", "redis requests"),
    "sizes": ("cookie sizes", "redis sizes"),
    "throughput": ("load",),
    "latency": ("load",),
}


def path(directory: Path, plot: str) -> Path:
    return directory / f"benchmarks-{plot}.svg"


def fingerprint(results: Results, plot: str) -> str:
    """Of the figures that a plot shows; it stands in the file, so that one can tell whose figures these are."""
    shown = {name: results.tables[name] for name in SHOWN[plot]}
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def draw(results: Results, directory: Path) -> t.Iterator[Path]:
    """Draw every plot."""
    matplotlib = importlib.import_module("matplotlib")
    figures = importlib.import_module("matplotlib.figure")
    drawings = {
        "requests": _requests,
        "sizes": _sizes,
        "throughput": _throughput,
        "latency": _latency,
    }
    with matplotlib.rc_context(STYLE):
        for plot, title in PLOTS.items():
            figure = figures.Figure(layout="constrained")
            drawings[plot](figure, results)
            about = f"sha256 of the figures: {fingerprint(results, plot)}"
            metadata = {"Title": title, "Description": about, "Date": None, "Creator": None}
            figure.savefig(path(directory, plot), format="svg", metadata=metadata)
            yield path(directory, plot)


def _legend(figure: Figure, kinds: t.Sequence[str]) -> None:
    patches = importlib.import_module("matplotlib.patches")
    handles = [patches.Patch(color=COLOURS[kind], label=NAMES[kind]) for kind in kinds]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(kinds), handlelength=1)


def _bars(
    axes: Axes, groups: t.Sequence[str], bars: t.Mapping[str, t.Sequence[float]], form: str
) -> None:
    """Groups from top to bottom, a bar of each kind in each, and its number at its end."""
    height = 0.84 / len(bars)
    for number, (kind, lengths) in enumerate(bars.items()):
        at = [group + (number - (len(bars) - 1) / 2) * height for group in range(len(groups))]
        drawn = axes.barh(at, lengths, height * 0.9, color=COLOURS[kind])
        labels = [form.format(length) for length in lengths]
        axes.bar_label(drawn, labels, padding=3, fontsize=8)
    axes.set_yticks(range(len(groups)), groups)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    # Room for the numbers.
    axes.margins(x=0.16)
    axes.grid(axis="x")


def _requests(figure: Figure, results: Results) -> None:
    figure.set_size_inches(9.6, 4)
    cookies, tcp, unix = figure.subplots(1, 3, sharey=True)
    views = ("ignores it", "reads it", "changes it", "reads it,\nrefreshed")

    def panel(axes: Axes, title: str, rows: t.Sequence[Row], kinds: dict[str, str]) -> None:
        bars = {kind: [value(row[column]) for row in rows] for kind, column in kinds.items()}
        _bars(axes, views, bars, "{:.0f}")
        axes.set_title(title)
        axes.set_xlabel("us a request")

    table = results.find
    names = ("untouched", "read", "written", "read, permanent, refreshed")
    rows = [table("cookie requests", request=name) for name in names]
    panel(cookies, "signed cookie", rows, {NULL: "null", STOCK: "stock", OURS: "ours"})
    kinds = {NULL: "null", FLASK_SESSION: "flask_session", OURS_REDIS: "ours"}
    requests = (("untouched", "off"), ("read", "off"), ("written", "off"), ("read", "on"))
    for axes, over in ((tcp, "TCP"), (unix, "unix socket")):
        rows = [
            table("redis requests", request=name, refresh=at, over=over) for name, at in requests
        ]
        panel(axes, f"Redis, {over}", rows, kinds)
    cookies.set_ylabel("the view … its session")
    # Both on Redis are compared with each other.
    for axes in (tcp, unix):
        axes.set_xlim(0, max(tcp.get_xlim()[1], unix.get_xlim()[1]))
    _legend(figure, (NULL, STOCK, FLASK_SESSION, OURS, OURS_REDIS))


def _sizes(figure: Figure, results: Results) -> None:
    figure.set_size_inches(9.6, 3.8)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, name, kinds, title in (
        (panels[0], "cookie sizes", {STOCK: "stock", OURS: "ours"}, "signed cookie"),
        (
            panels[1],
            "redis sizes",
            {FLASK_SESSION: "flask_session", OURS_REDIS: "ours"},
            "Redis, TCP",
        ),
    ):
        for content, line in (("items", "-"), ("text", "--")):
            rows = [row for row in results.tables[name] if row["content"] == content]
            sizes = [value(row["size"]) for row in rows]
            for kind, column in kinds.items():
                costs = [value(row[column]) for row in rows]
                axes.loglog(sizes, costs, line, color=COLOURS[kind], marker="o", markersize=3)
        axes.set_title(f"{title} (solid: many items, dashed: one text)")
        axes.set_xlabel("bytes of JSON")
        axes.grid(which="major")
    panels[0].set_ylabel("us that a written session costs")
    _legend(figure, (STOCK, FLASK_SESSION, OURS, OURS_REDIS))


def _loads(results: Results, cores: str) -> dict[str, dict[str, Row]]:
    """Server to interface to its row."""
    found: dict[str, dict[str, Row]] = {}
    for row in results.tables["load"]:
        if row["cores"] == cores:
            found.setdefault(str(row["server"]), {})[str(row["interface"])] = row
    return found


def _throughput(figure: Figure, results: Results) -> None:
    figure.set_size_inches(9.6, 4.6)
    for axes, cores, title in zip(
        figure.subplots(1, 2, sharey=True),
        ("free", "one core"),
        ("cores as the kernel likes", "all on one core"),
        strict=True,
    ):
        loads = _loads(results, cores)
        bars = {kind: [value(of[kind]["rate"]) for of in loads.values()] for kind in NAMES}
        _bars(axes, [server.replace(", ", ",\n") for server in loads], bars, "{:,.0f}")
        axes.set_title(title)
        axes.set_xlabel("requests a second")
    _legend(figure, list(NAMES))


def _latency(figure: Figure, results: Results) -> None:
    loads = _loads(results, "free")
    figure.set_size_inches(9.6, 3.6)
    percentiles = {"p50": "p50", "p99": "p99", "p999": "p99.9"}
    panels = figure.subplots(1, len(loads), sharey=True)
    for axes, (server, of) in zip(panels, loads.items(), strict=True):
        for kind in NAMES:
            times = [value(of[kind][key]) / 1e3 for key in percentiles]
            axes.semilogy(list(percentiles.values()), times, color=COLOURS[kind], marker="o")
        axes.set_title(server)
        axes.margins(x=0.15)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(axis="y")
    panels[0].set_ylabel("ms")
    _legend(figure, list(NAMES))
