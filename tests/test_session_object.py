"""The session is a dict to the last method, loaded or not, and tells of changes as Flask's does."""

import collections
import contextlib
import copy
import functools
import itertools
import json
import string
import types
import urllib.parse
from collections.abc import Callable
from typing import Any

import flask
import jinja2
import pytest
from flask.sessions import SecureCookieSession

from .describe import describe
from .describe import raised
from .flavours import BOTH
from .flavours import Flavour
from .opened import DATA
from .opened import made
from .opened import opened
from .opened import STATES

OTHER = {"a": 2, "z": [0]}


def f(**kwargs: Any) -> dict[str, Any]:
    return kwargs


def match(s: Any) -> Any:
    match s:
        case {"a": int(a), "b": [first, *_], **rest}:
            return a, first, rest
        case {"z": z}:
            return "second", z
        case {}:
            return "a mapping"
    return None


def ior(s: Any, other: Any) -> Any:
    before = s
    s |= other
    return s is before


def into(target: dict[str, Any], s: Any) -> dict[str, Any]:
    target |= s
    return target


def updated(target: dict[str, Any], s: Any) -> dict[str, Any]:
    target.update(s)
    return target


@functools.cache
def template(text: str) -> jinja2.Template:
    return jinja2.Environment(autoescape=True).from_string(text)


def render(text: str, s: Any) -> str:
    return template(text).render(session=s)


def views(s: Any) -> Any:
    """The views are live."""
    keys, values, items = s.keys(), s.values(), s.items()
    s["later"] = 1
    return list(keys), list(values), list(items), len(keys), "later" in keys


def size_changes(s: Any) -> None:
    for key in s:
        s[key + "!"] = 1


def put(o: Any, name: str, value: Any) -> Any:
    return setattr(o, name, value)


def drop(o: Any, name: str) -> Any:
    return delattr(o, name)


def stringify(o: object) -> str:
    return str(o)


class Keys:
    """Has `keys` and `__getitem__`: enough for `update`."""

    def keys(self) -> list[str]:
        return ["k"]

    def __getitem__(self, key: str) -> str:
        return key * 2


class FailingKeys(Keys):
    def keys(self) -> list[str]:
        raise OSError("keys")


READS: dict[str, Callable[[Any], Any]] = {
    "getitem": lambda s: s["a"],
    "getitem missing": lambda s: s["missing"],
    "getitem unhashable": lambda s: s[[]],
    "getitem number": lambda s: s[1],
    "get": lambda s: s.get("a"),
    "get missing": lambda s: s.get("missing"),
    "get default": lambda s: s.get("missing", 5),
    "get nothing": lambda s: s.get(),
    "get too much": lambda s: s.get(1, 2, 3),
    "get keyword": lambda s: s.get("a", default=1),
    "get unhashable": lambda s: s.get([]),
    "in": lambda s: ("a" in s, "missing" in s, None in s),
    "not in": lambda s: "a" not in s,
    "in unhashable": lambda s: [] in s,
    "contains": lambda s: s.__contains__("a"),
    "len": len,
    "bool": bool,
    "not": lambda s: not s,
    "if": lambda s: 1 if s else 2,
    "iter": lambda s: [key for key in s],  # noqa: C416
    "iterator": lambda s: next(iter(s), None),
    "length hint": lambda s: iter(s).__length_hint__(),
    "reversed": lambda s: list(reversed(s)),
    "list": list,
    "tuple": tuple,
    "set": lambda s: sorted(set(s)),
    "sorted": sorted,
    "max": lambda s: max(s, default=None),
    "star": lambda s: [*s],
    "unpack": lambda s: dict(enumerate([*s, *s])),
    "enumerate": lambda s: list(enumerate(s)),
    "zip": lambda s: list(zip(s, s.values(), strict=True)),
    "join": lambda s: ",".join(s),
    "keys": lambda s: list(s.keys()),
    "values": lambda s: list(s.values()),
    "items": lambda s: list(s.items()),
    "type of keys": lambda s: type(s.keys()).__name__,
    "len of keys": lambda s: len(s.keys()),
    "len of items": lambda s: len(s.items()),
    "in keys": lambda s: "a" in s.keys(),  # noqa: SIM118
    "in values": lambda s: 1 in s.values(),
    "in items": lambda s: ("a", 1) in s.items(),
    "keys and": lambda s: s.keys() & {"a"},
    "keys reversed": lambda s: list(reversed(s.keys())),
    "repr of keys": lambda s: repr(s.keys()),
    "mapping of keys": lambda s: dict(s.keys().mapping),
    "eq": lambda s: (s == DATA, s == {}, s == OTHER, s == 1, s == None),  # noqa: E711
    "ne": lambda s: (s != DATA, s != {}, s != 1),
    "eq reversed": lambda s: (DATA == s, {} == s, OTHER == s, DATA == s),  # noqa: SIM300
    "ne reversed": lambda s: (DATA != s, {} != s),  # noqa: SIM300
    "eq itself": lambda s: (s == s, s != s),
    "eq OrderedDict": lambda s: (
        s == collections.OrderedDict(DATA),
        collections.OrderedDict(DATA) == s,
    ),
    "in a list": lambda s: ([{}, s].index(s), [s].count({}), [{}].count(s)),
    "lt": lambda s: s < {},
    "add": lambda s: s + {},
    "or": lambda s: s | OTHER,
    "or pairs": lambda s: s | [("a", 1)],
    "reverse or": lambda s: OTHER | s,
    "or itself": lambda s: s | s,
    "or number": lambda s: s | 1,
    "reverse or number": lambda s: 1 | s,
    "reverse ior": lambda s: into({"a": 0}, s),
    "method or": lambda s: s.__or__(OTHER),
    "method ror": lambda s: s.__ror__(OTHER),
    "copy": lambda s: s.copy(),
    "dict": dict,
    "dict with": lambda s: dict(s, more=1),
    "dict of items": lambda s: dict(s.items()),
    "dict update": lambda s: into({}, s),
    "dict.update": lambda s: updated({"q": 0}, s),
    "double star": lambda s: {"first": 0, **s, "last": 1},
    "call": lambda s: f(**s),
    "call with": lambda s: f(x=1, **s),
    "OrderedDict": lambda s: dict(collections.OrderedDict(s)),
    "defaultdict": lambda s: dict(collections.defaultdict(list, s)),
    "ChainMap": lambda s: dict(collections.ChainMap({}, s)),
    "Counter": lambda s: sorted(collections.Counter(s.keys())),
    "UserDict": lambda s: dict(collections.UserDict(s)),
    "MappingProxyType": lambda s: dict(types.MappingProxyType(s)),
    "SimpleNamespace": lambda s: vars(types.SimpleNamespace(**s)),
    "update of another session": lambda s: SecureCookieSession(s),
    "session of a session": lambda s: dict(type(s)(s)),
    "json": lambda s: json.dumps({k: str(v) for k, v in s.items()}),
    "json C": lambda s: json.dumps(s, default=stringify),
    # CPython 3.13 indents in C, which writes an empty session with a blank line in its braces if
    # it was not known to be empty before.
    "json indent": lambda s: json.dumps(s, default=stringify, indent=2).replace("\n  \n", ""),
    "json sorted": lambda s: json.dumps(s, default=stringify, sort_keys=True),
    "json nested": lambda s: json.dumps([{"s": s}], default=stringify),
    "json skipkeys": lambda s: json.dumps(s, default=stringify, skipkeys=True),
    "json pieces": lambda s: list(json.JSONEncoder(default=stringify).iterencode(s)),
    "format_map": lambda s: "{a} {text}".format_map(s),
    "format star": lambda s: "{a} {text}".format(**s),
    "percent": lambda s: "%(a)s %(text)s" % s,  # noqa: UP031
    "percent missing": lambda s: "%(missing)s" % s,  # noqa: UP031
    "Template": lambda s: string.Template("$a $text").substitute(s),
    "urlencode": lambda s: urllib.parse.urlencode(s),
    "translate": lambda s: "abc".translate(s),
    "match": match,
    "map": lambda s: list(map(s.get, ["a", "b"])),
    "all": all,
    "jinja attribute": lambda s: render("{{ session.a }} {{ session.missing }}", s),
    "jinja item": lambda s: render("{{ session['text'] }}{{ session['no'] }}", s),
    "jinja loop": lambda s: render("{% for k, v in session.items() %}{{ k, v }}{% endfor %}", s),
    "jinja keys": lambda s: render("{% for k in session %}{{ k }}{% endfor %}", s),
    "jinja if": lambda s: render("{% if session %}{{ session|length }}{% endif %}", s),
    "jinja in": lambda s: render("{{ 'a' in session }} {{ session|dictsort|length }}", s),
    "permanent": lambda s: s.permanent,
    "new": lambda s: s.new,
    "flags": lambda s: (s.modified, s.accessed),
    "hash": hash,
    "as a key": lambda s: {s: 1},
    "call it": lambda s: s(),
    "callable": callable,
    "isinstance": lambda s: [
        isinstance(s, kind)
        for kind in (dict, SecureCookieSession, collections.abc.MutableMapping, int)
    ],
    "class name": lambda s: type(s).__name__,
    "json provider": lambda s: flask.json.dumps(s, sort_keys=True),
    "exec": lambda s: eval("a", {}, s),
    "doc": lambda s: bool(s.__doc__),
    "missing attribute": lambda s: s.missing,
    "fromkeys": lambda s: s.fromkeys(["a", "b"], 1),
    "fromkeys of the class": lambda s: type(s).fromkeys("ab"),
}  # fmt: skip

WRITES: dict[str, Callable[[Any], Any]] = {
    "setitem": lambda s: s.__setitem__("new", [1]),
    "setitem same": lambda s: s.__setitem__("a", 1),
    "setitem unhashable": lambda s: s.__setitem__([], 1),
    "setitem number": lambda s: s.__setitem__(1, 1),
    "nested": lambda s: s["b"].append(1),
    "add in place": lambda s: s.__setitem__("a", s["a"] + 1),
    "delitem": lambda s: s.__delitem__("a"),
    "delitem missing": lambda s: s.__delitem__("missing"),
    "delitem unhashable": lambda s: s.__delitem__([]),
    "pop": lambda s: s.pop("a"),
    "pop default": lambda s: s.pop("a", 5),
    "pop missing": lambda s: s.pop("missing"),
    "pop missing default": lambda s: s.pop("missing", 5),
    "pop missing None": lambda s: s.pop("missing", None),
    "pop keyword": lambda s: s.pop("missing", default=3),
    "pop key keyword": lambda s: s.pop(key="a", default=3),
    "pop nothing": lambda s: s.pop(),
    "pop too much": lambda s: s.pop(1, 2, 3),
    "pop unhashable": lambda s: s.pop([], 1),
    "popitem": lambda s: s.popitem(),
    "popitem argument": lambda s: s.popitem(True),
    "popitem to the end": lambda s: [s.popitem() for _ in range(len(s) + 1)],
    "setdefault": lambda s: s.setdefault("new", []),
    "setdefault existing": lambda s: s.setdefault("a", 9),
    "setdefault None": lambda s: s.setdefault("new"),
    "setdefault keywords": lambda s: s.setdefault(key="new", default=3),
    "setdefault nothing": lambda s: s.setdefault(),
    "setdefault unhashable": lambda s: s.setdefault([], 1),
    "setdefault then change": lambda s: s.setdefault("new", []).append(1),
    "update": lambda s: s.update({"a": 2, "new": 1}),
    "update nothing": lambda s: s.update(),
    "update None": lambda s: s.update(None),
    "update empty": lambda s: s.update({}),
    "update keywords": lambda s: s.update(a=3, self=1),
    "update both": lambda s: s.update({"a": 2}, a=3),
    "update pairs": lambda s: s.update([("a", 2), ["new", 1]]),
    "update generator": lambda s: s.update((k, 1) for k in "xyz"),
    "update keys": lambda s: s.update(Keys()),
    "update failing keys": lambda s: s.update(FailingKeys()),
    "update bad pairs": lambda s: s.update([("a", 2), ("b",)]),
    "update number": lambda s: s.update(5),
    "update two": lambda s: s.update({}, {}),
    "update arg keyword": lambda s: s.update(arg=1),
    "update itself": lambda s: s.update(s),
    "ior": lambda s: ior(s, OTHER),
    "ior pairs": lambda s: ior(s, [("a", 5)]),
    "ior empty": lambda s: ior(s, {}),
    "ior itself": lambda s: ior(s, s),
    "ior number": lambda s: ior(s, 1),
    "ior bad pairs": lambda s: ior(s, [1]),
    "clear": lambda s: s.clear(),
    "clear argument": lambda s: s.clear(1),
    "clear and set": lambda s: (s.clear(), s.__setitem__("a", 1)),
    "views": views,
    "changed while iterating": size_changes,
    "permanent": lambda s: put(s, "permanent", 1),
    "not permanent": lambda s: put(s, "permanent", ""),
    "modified": lambda s: put(s, "modified", True),
    "unmodified": lambda s: (s.__setitem__("a", 2), put(s, "modified", False)),
    "modified odd": lambda s: (put(s, "modified", "yes"), bool(s.modified)),
    "modified None": lambda s: (put(s, "modified", None), bool(s.modified)),
    "accessed": lambda s: put(s, "accessed", True),
    "unaccessed": lambda s: put(s, "accessed", False),
    "accessed odd": lambda s: put(s, "accessed", 5),
    "attribute": lambda s: (put(s, "note", 1), s.note, drop(s, "note")),
    "new": lambda s: (put(s, "new", True), s.new),
    "jinja": lambda s: render("{% if session.pop('a', none) %}popped{% endif %}", s),
    "flash": lambda s: s.setdefault("_flashes", []).append(("m", "x")),
    "template do": lambda s: render("{{ session.update({'x': 1}) }}", s),
}


def outcome(flavour: Flavour, state: Any, data: dict[str, Any], act: Any) -> list[str]:
    """All that can be seen of an action: its result, the flags, the content."""
    session = state(flavour, data)
    flags = describe((bool(session.modified), bool(session.accessed)))
    try:
        result = act(session)
        seen = describe(result).replace(describe(session), "the session")
    except BaseException as error:
        # The text of a call with too many or too few arguments names the class of the method.
        names_a_class = "argument" in str(error)
        seen = type(error).__name__ if names_a_class else raised(error)
        # From 3.14 on, an object that cannot be a key is named with its module.
        seen = seen.replace(f"{type(session).__module__}.", "")
    after = describe((bool(session.modified), bool(session.accessed)))
    return [flags, seen, after, describe(dict(session)), describe(bool(session.modified))]


@pytest.mark.usefixtures("clock", "plain")
@pytest.mark.parametrize(
    "data", [DATA, {}, {"_permanent": True}], ids=["data", "empty", "permanent"]
)
@pytest.mark.parametrize("name", [*READS, *(f"{name}!" for name in WRITES)])
def test_same_as_flasks(name: str, data: dict[str, Any]) -> None:
    act = WRITES[name[:-1]] if name.endswith("!") else READS[name]
    for state in STATES:
        stock, native = (outcome(flavour, state, copy.deepcopy(data), act) for flavour in BOTH)
        assert native == stock, state.__name__


@pytest.mark.usefixtures("clock", "plain")
@pytest.mark.parametrize("second", WRITES)
def test_one_after_the_other(second: str) -> None:
    for first, state in itertools.product(WRITES, (made, opened)):

        def both(s: Any, first: str = first) -> Any:
            with contextlib.suppress(Exception):
                WRITES[first](s)
            return WRITES[second](s)

        stock, native = (outcome(flavour, state, DATA, both) for flavour in BOTH)
        assert native == stock, (first, state.__name__)


@pytest.mark.parametrize("state", STATES)
def test_initialised_again(state: Any) -> None:
    def again(s: Any) -> Any:
        s.__init__({"again": 1})
        s.__init__()
        return dict(s)

    stock, native = (outcome(flavour, state, DATA, again) for flavour in BOTH)
    assert native == stock


def test_modified_can_be_deleted(flavour: Flavour) -> None:
    """As any attribute that falls back on the class's."""
    session = opened(flavour, DATA)
    with pytest.raises(AttributeError):
        del session.modified
    session.modified = True
    del session.modified
    assert not session.modified


def test_the_reads_do_read() -> None:
    """The table is no use if its answers do not depend on the data."""
    indifferent = {
        "getitem missing", "getitem unhashable", "getitem number", "get missing", "get default",
        "get nothing", "get too much", "get keyword", "get unhashable", "in unhashable",
        "type of keys", "eq itself", "lt", "add", "or number", "reverse or number", "or pairs",
        "new", "flags", "hash", "as a key", "all", "call it", "callable", "isinstance",
        "class name", "doc", "missing attribute", "fromkeys", "fromkeys of the class", "translate",
        "permanent", "percent missing", "update of another session",
    }  # fmt: skip
    for name, act in READS.items():
        full, empty = (outcome(BOTH[0], STATES[0], data, act)[1] for data in (DATA, {}))
        assert (full == empty) == (name in indifferent), name
