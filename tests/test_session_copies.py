"""Copies, pickles, subclasses and references: what else Python programs do to a dict."""

import copy
import functools
import gc
import logging
import pickle
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from flask.sessions import SecureCookieSession
from markupsafe import Markup

from .describe import describe
from .flavours import BOTH
from .flavours import Flavour
from .flavours import NATIVE
from .opened import DATA
from .opened import open_cookie
from .opened import opened
from .opened import OwnModified
from .opened import STATES
from .opened import token
from .views import session_app
from .visits import Visitor

State = Callable[[Flavour, dict[str, Any]], SecureCookieSession]


@pytest.fixture(params=STATES, ids=lambda state: state.__name__)
def state(request: pytest.FixtureRequest) -> State:
    chosen: State = request.param
    return chosen


def flags(session: Any) -> tuple[str, bool, bool, str]:
    kind = type(session).__name__
    if not isinstance(session, SecureCookieSession):
        return kind, False, False, describe(session)
    return kind, session.modified, session.accessed, describe(dict(session))


@pytest.mark.parametrize("change", [None, "modified", "accessed"])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda s: s.copy()])
def test_copies_are_flasks(state: State, copied: Any, change: str | None) -> None:
    results = []
    for flavour in BOTH:
        session = state(flavour, DATA)
        if change is not None:
            setattr(session, change, True)
        result = copied(session)
        results.append((flags(session), flags(result)))
    assert results[0] == results[1]


def test_copy_is_shallow_and_deepcopy_is_not(flavour: Flavour, state: State) -> None:
    session = state(flavour, DATA)
    shallow, deep = copy.copy(session), copy.deepcopy(session)
    session["b"].append("later")
    assert shallow["b"][-1] == "later"
    assert deep == DATA
    shallow["own"] = deep["own"] = 1
    assert "own" not in session
    assert session["b"] is shallow["b"]
    assert session["b"] is not deep["b"]


def test_a_copy_tells_of_its_own_changes(flavour: Flavour, state: State) -> None:
    session = state(flavour, DATA)
    for copied in (copy.copy(session), copy.deepcopy(session)):
        copied.modified = False
        copied["a"] = 2
        assert copied.modified
        assert not session.modified


def test_attributes_are_copied(flavour: Flavour) -> None:
    session: Any = opened(flavour, DATA)
    session.note = ["noted"]
    assert copy.copy(session).note is session.note
    assert copy.deepcopy(session).note == ["noted"]
    assert copy.deepcopy(session).note is not session.note


def test_deepcopy_keeps_identities(flavour: Flavour) -> None:
    session = flavour.session_class({})
    session["twice"] = [session.setdefault("one", [])]
    session["self"] = session
    copied = copy.deepcopy(session)
    assert copied["twice"][0] is copied["one"]
    assert copied["self"] is copied


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(state: State, protocol: int) -> None:
    """Flask's own cannot be pickled; ours comes back with its data, and still tells of changes."""
    session = state(NATIVE, DATA)
    restored = pickle.loads(pickle.dumps(session, protocol))
    assert type(restored) is type(session)
    assert describe(dict(restored)) == describe(DATA)
    assert describe(dict(session)) == describe(DATA)
    restored.modified = False
    restored["a"] = 2
    assert restored.modified
    assert session["a"] == 1


class Mine(NATIVE.session_class):  # type: ignore[name-defined, misc]
    """At the top of a module, so that pickle finds it."""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_of_a_subclass(protocol: int) -> None:
    session = open_cookie(NATIVE, token(DATA), session_class=Mine)
    session.note = 5  # type: ignore[attr-defined]
    restored = pickle.loads(pickle.dumps(session, protocol))
    assert (type(restored), restored, restored.note) == (Mine, DATA, 5)


def subclass(flavour: Flavour, name: str) -> type[SecureCookieSession]:
    base: Any = flavour.session_class

    class WithOnUpdateMethod(base):  # type: ignore[misc]
        def on_update(self, session: Any) -> None:
            self.note = "method"

    class WithBoth(WithOnUpdateMethod):
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial)
            self.on_update = lambda session: setattr(session, "note", "of the object")  # type: ignore[method-assign]

    class WithOnUpdateProperty(base):  # type: ignore[misc]
        @property
        def on_update(self) -> Any:
            return lambda session: setattr(session, "note", "property")

        @on_update.setter
        def on_update(self, value: Any) -> None:
            pass

    class WithInit(base):  # type: ignore[misc]
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial)
            self.note = f"made of {type(initial).__name__}"
            self.setdefault("init", len(initial or ()))

    class WithMissing(base):  # type: ignore[misc]
        def __missing__(self, key: str) -> str:
            return f"no {key}"

    class WithSetitem(base):  # type: ignore[misc]
        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key.upper(), value)

    class WithGetitem(base):  # type: ignore[misc]
        def __getitem__(self, key: str) -> Any:
            return ("got", super().__getitem__(key))

        def get(self, key: str, default: Any = None) -> Any:
            return super().get(key, default) and self[key]

    class WithProperty(base):  # type: ignore[misc]
        @property
        def a(self) -> Any:
            return self["a"]

        @a.setter
        def a(self, value: Any) -> None:
            self["a"] = value

    class WithSlots(base):  # type: ignore[misc]
        __slots__ = ("slot",)

    class WithCallback(base):  # type: ignore[misc]
        def update(self, *args: Any, **kwargs: Any) -> None:
            super().update(*args, updated=True, **kwargs)

        def __len__(self) -> int:
            return int(super().__len__()) + 100

        def __iter__(self) -> Any:
            return iter([*super().__iter__(), "iterated"])

    class WithModified(base):  # type: ignore[misc]
        modified = True

    class WithPermanent(base):  # type: ignore[misc]
        permanent = True

    class WithModifiedProperty(OwnModified, base):  # type: ignore[misc]
        pass

    class WithSetattr(base):  # type: ignore[misc]
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "modified":
                super().__setattr__("note", f"set to {value}")

    class WithOnUpdate(base):  # type: ignore[misc]
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial)
            self.on_update = lambda session: setattr(session, "note", f"{len(session)} items")

    class WithNoOnUpdate(base):  # type: ignore[misc]
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial)
            self.on_update = None

    made: dict[str, type[SecureCookieSession]] = {
        name: cls for name, cls in locals().items() if name.startswith("With")
    }
    return made[name]


SUBCLASSES = (
    "WithModifiedProperty", "WithSetattr", "WithOnUpdate", "WithNoOnUpdate", "WithOnUpdateMethod", "WithBoth",
    "WithOnUpdateProperty", "WithInit", "WithMissing", "WithSetitem", "WithGetitem", "WithProperty",
    "WithSlots", "WithCallback", "WithModified", "WithPermanent",
)  # fmt: skip


@pytest.mark.parametrize("name", SUBCLASSES)
@pytest.mark.parametrize("made", ["made", "opened", "empty"])
def test_subclasses(name: str, made: str) -> None:
    def outcome(flavour: Flavour) -> list[Any]:
        cls = subclass(flavour, name)
        session: Any
        if made == "opened":
            session = open_cookie(flavour, token(DATA), session_class=cls)
        else:
            session = cls(dict(DATA)) if made == "made" else cls()
        seen: list[Any] = [type(session).__name__, session.modified, getattr(session, "note", 0)]
        for act in (
            lambda: session["nothing"],
            lambda: session.get("a"),
            lambda: session.__setitem__("new", 1),
            lambda: session.setdefault("other", 2),
            lambda: session.update(third=3),
            lambda: setattr(session, "a", 7),
            lambda: session.a,
            lambda: setattr(session, "slot", 7),
            lambda: session.permanent,
            lambda: len(session),
            lambda: bool(session),
            lambda: list(session),
            lambda: sorted(session.keys()),
            lambda: dict(session.items()),
            lambda: dict(session),
            lambda: session == {},
            lambda: session | {"x": 1},
        ):
            try:
                seen.append(describe(act()))
            except Exception as error:
                seen.append(type(error).__name__)
            seen += [session.modified, getattr(session, "note", 0)]
        return seen

    stock, native = map(outcome, BOTH)
    assert native == stock


@pytest.mark.usefixtures("clock", "plain")
@pytest.mark.parametrize("name", SUBCLASSES)
def test_subclasses_in_requests(name: str) -> None:
    def answers(flavour: Flavour) -> list[Any]:
        visitor = Visitor(session_app(flavour.interface(session_class=subclass(flavour, name))))
        paths = ("/untouched", "/read", "/write", "/read", "/permanent", "/untouched", "/flags",
                 "/template", "/pop_missing", "/write_and_empty", "/untouched")  # fmt: skip
        return [visitor.get(path) for path in paths]

    stock, native = map(answers, BOTH)
    assert native == stock


def changes(session: Any) -> Iterator[str]:
    """Every way to change the session's own items, and some that change none."""
    for name, arguments in (
        ("__setitem__", ("x", 1)), ("__delitem__", ("x",)), ("setdefault", ("x", 1)),
        ("setdefault", ("x", 1)), ("pop", ("x",)), ("pop", ("x", None)), ("update", ({"x": 1},)),
        ("__ior__", ({"y": 1},)), ("popitem", ()), ("clear", ()),
    ):  # fmt: skip
        getattr(session, name)(*arguments)
        yield name


@pytest.mark.parametrize("copied", [None, copy.copy, copy.deepcopy])
def test_on_update(state: State, copied: Callable[[Any], Any] | None) -> None:
    """As of werkzeug's `CallbackDict`: it may be called, set, and set to None."""

    def outcome(flavour: Flavour) -> list[Any]:
        session: Any = state(flavour, DATA)
        calls: list[Any] = []
        seen: list[Any] = [callable(session.on_update)]
        session.on_update(session)
        seen.append(session.modified)
        session.modified = False
        session.on_update = on_update = functools.partial(append_size, calls)
        if copied is not None:
            session = copied(session)
            calls = session.on_update.args[0]
        seen.append(session.on_update.func is on_update.func)
        for name in changes(session):
            seen.append((name, list(calls), session.modified))
        session.on_update = None
        session["z"] = 1
        return [*seen, list(calls), session.modified, session.on_update]

    stock, native = map(outcome, BOTH)
    assert native == stock


def append_size(calls: list[int], session: Any) -> None:
    calls.append(len(session))


def test_references(flavour: Flavour) -> None:
    session = opened(flavour, DATA)
    reference = weakref.ref(session)
    assert reference() is session
    del session
    gc.collect()
    assert reference() is None


def test_cycles_are_collected(flavour: Flavour) -> None:
    session: Any = opened(flavour, DATA)
    session["itself"] = session
    session.attribute = session
    reference = weakref.ref(session)
    del session
    gc.collect()
    assert reference() is None


def test_reference_counts_stay(flavour: Flavour) -> None:
    value = ["a value of its own"]
    key = "".join(["a key ", "of its own"])
    session = opened(flavour, DATA)
    before = sys.getrefcount(value), sys.getrefcount(key)
    for _ in range(1000):
        session[key] = value
        assert session[key] is session.get(key)
        assert session.setdefault(key, None) is value
        session.update({key: value})
        session |= {key: value}
        assert session.pop(key) is value
        session[key] = value
        del session[key]
        session[key] = value
        assert dict(session)[key] is value
        session.clear()
        for act in (session.__getitem__, session.__delitem__, session.pop):
            with pytest.raises(KeyError):
                act(key)
    assert (sys.getrefcount(value), sys.getrefcount(key)) == before


CYCLES = 3000


def cycles(flavour: Flavour) -> tuple[int, int]:
    """How many objects and how many bytes stay behind after thousands of requests."""
    visitor = Visitor(session_app(flavour.interface()))

    def one() -> None:
        for path in ("/rich", "/read", "/untouched", "/permanent", "/nested_marked", "/untouched",
                     "/wrong", "/write_and_empty"):  # fmt: skip
            visitor.get(path)
        visitor.jar["session"] = token({"a": 1})[:-1]
        visitor.get("/read")
        visitor.jar["session"] = token({"a": Markup("x")})
        visitor.get("/untouched")
        with visitor.app.test_request_context("/", headers={"Cookie": visitor.cookie or ""}):
            session = visitor.app.session_interface.open_session(visitor.app, flask.request)
            pickled = copy.deepcopy(session)
            assert pickled is not None
            visitor.app.session_interface.save_session(visitor.app, pickled, flask.Response())
        visitor.jar.clear()

    for _ in range(50):
        one()
    gc.collect()
    tracemalloc.start()
    try:
        objects, (memory, _) = len(gc.get_objects()), tracemalloc.get_traced_memory()
        for _ in range(CYCLES // 10):
            one()
        gc.collect()
        grown = len(gc.get_objects()) - objects, tracemalloc.get_traced_memory()[0] - memory
    finally:
        tracemalloc.stop()
    return grown


def test_nothing_stays_behind() -> None:
    # Whoever listens to the log keeps the errors of `/wrong`, with all their frames.
    logging.disable()
    try:
        objects, memory = cycles(NATIVE)
    finally:
        logging.disable(logging.NOTSET)
    assert objects < 50
    assert memory < 1 << 20


def test_native_memory_does_not_grow() -> None:
    """20,000 loads and saves through the codec and the session, measured from outside Python."""
    from flask_session_rs._native import TokenCodec

    codec = TokenCodec(["a key"], compress_threshold=0)
    data = {"text": "x" * 20_000, "list": list(range(100))}
    text = codec.dumps(data)

    def one() -> None:
        assert codec.loads(text, 10**9) is not None
        assert codec.loads(text[:-1], 10**9) is None
        codec.dumps(data)

    def resident() -> int:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096

    for _ in range(2000):
        one()
    before = resident()
    for _ in range(18_000):
        one()
    assert resident() - before < 1 << 20
