"""One session in many threads, many sessions in many threads: nothing is lost, nothing is mixed."""

import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest
from flask import session

from .describe import describe
from .flavours import Flavour
from .flavours import NATIVE
from .opened import open_cookie
from .opened import token
from .views import session_app
from .visits import Visitor

THREADS = 16
DATA: dict[str, Any] = {f"key {i:02}": [i, (i,), {"n": i}] for i in range(40)}


@pytest.fixture(autouse=True)
def switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """Run `work(number)` in threads that start at the same moment; what each returned or raised."""
    barrier = threading.Barrier(threads)

    def start(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(start, n) for n in range(threads)]]


def accessed(s: Any) -> int:
    s.accessed = True
    return len(s)


USES: dict[str, Callable[[Any, int], Any]] = {
    "getitem": lambda s, n: s["key 07"],
    "get": lambda s, n: s.get("key 07"),
    "len": lambda s, n: len(s),
    "items": lambda s, n: describe(list(s.items())),
    "dict": lambda s, n: describe(dict(s)),
    "eq": lambda s, n: s == DATA,
    "in": lambda s, n: "key 07" in s,
    "or": lambda s, n: len(s | {}),
    "accessed": lambda s, n: accessed(s),
    "iter": lambda s, n: list(s),
    "copy": lambda s, n: describe(s.copy()),
}


@pytest.mark.parametrize("name", USES)
def test_the_first_use_in_many_threads(name: str) -> None:
    """All of them see the data, and the same objects."""
    for _ in range(30):
        fresh = open_cookie(NATIVE, token(DATA))
        results = together(lambda n: (USES[name](fresh, n), id(fresh["key 07"])))  # noqa: B023
        assert all(result == results[0] for result in results)
        assert fresh == DATA
        assert not fresh.modified


def test_mixed_first_uses() -> None:
    names = list(USES)
    for _ in range(50):
        fresh = open_cookie(NATIVE, token(DATA))

        def work(n: int) -> int:
            USES[names[n % len(names)]](fresh, n)  # noqa: B023
            return id(fresh["key 00"])  # noqa: B023

        assert len(set(together(work))) == 1
        assert fresh == DATA


def test_no_write_is_lost_while_loading() -> None:
    """A write that comes while another thread loads is not overwritten by what was loaded."""
    for _ in range(100):
        fresh = open_cookie(NATIVE, token(DATA))

        def work(n: int) -> None:
            if n % 4 == 0:
                fresh[f"key {n:02}"] = n  # noqa: B023
            elif n % 4 == 1:
                fresh.pop(f"key {n:02}")  # noqa: B023
            elif n % 4 == 2:
                fresh.setdefault(f"new {n}", n)  # noqa: B023
            else:
                fresh.update({f"up {n}": n})  # noqa: B023

        together(work)
        expected: dict[str, Any] = dict(DATA)
        for n in range(THREADS):
            if n % 4 == 0:
                expected[f"key {n:02}"] = n
            elif n % 4 == 1:
                del expected[f"key {n:02}"]
            else:
                expected[f"{'new' if n % 4 == 2 else 'up'} {n}"] = n
        assert fresh == expected
        assert fresh.modified


def test_clear_while_loading() -> None:
    for _ in range(100):
        fresh = open_cookie(NATIVE, token(DATA))
        together(lambda n: fresh.clear() if n == 0 else len(fresh), 4)  # noqa: B023
        assert dict(fresh) == {}
        assert fresh.modified


def test_many_operations_on_one_session() -> None:
    """No crash, and each thread's own key is as the thread left it."""
    shared = open_cookie(NATIVE, token(DATA))

    def work(n: int) -> None:
        mine = f"mine {n}"
        for i in range(500):
            shared[mine] = i
            assert shared[mine] == i
            assert mine in shared
            shared.update({mine: i + 1})
            assert shared.pop(mine) == i + 1
            assert shared.setdefault(mine, n) == n
            assert len(shared) >= len(DATA)
            assert shared.copy()[mine] == n
            shared.modified = False
            assert describe(shared | {})
            assert shared == shared
            repr(shared)
            shared.accessed = bool(i % 2)

    together(work, 8)
    assert {k: v for k, v in shared.items() if k.startswith("mine")} == {
        f"mine {n}": n for n in range(8)
    }


def test_sessions_of_different_users_never_mix(flavour: Flavour) -> None:
    app = session_app(flavour.interface())

    @app.get("/user/<name>")
    def user(name: str) -> str:
        seen = session.setdefault("name", name)
        session["count"] = session.get("count", 0) + 1
        session["blob"] = [name] * 20
        return f"{seen} {session['count']} {set(session['blob'])}"

    def work(n: int) -> None:
        visitor = Visitor(app)
        client = app.test_client()
        for i in range(60):
            assert client.get(f"/user/{n}").text == f"{n} {i + 1} {ids(n)}"
        visitor.jar["session"] = client.get_cookie("session").value  # type: ignore[union-attr]
        with app.test_request_context("/", headers={"Cookie": visitor.cookie or ""}):
            assert session["name"] == str(n)

    def ids(n: int) -> set[str]:
        return {str(n)}

    together(work)


def test_applications_with_different_keys_never_mix() -> None:
    interface = NATIVE.interface()
    apps = [session_app(interface, SECRET_KEY=f"key {n}") for n in range(THREADS)]

    def work(n: int) -> None:
        for _ in range(50):
            client = apps[n].test_client()
            client.get("/write")
            value = client.get_cookie("session").value  # type: ignore[union-attr]
            other = apps[(n + 1) % THREADS].test_client()
            other.set_cookie("session", value)
            assert other.get("/read").text == "dict{}"
            assert client.get("/read").text == "dict{str 'count': int 1}"

    together(work)


def test_keys_rotate_under_load() -> None:
    """While the key changes, each request sees one key or the other, and never an error."""
    app = session_app(NATIVE.interface(), SECRET_KEY="0", SECRET_KEY_FALLBACKS=[])
    done = threading.Event()

    def rotate() -> None:
        number = 0
        while not done.is_set():
            app.config["SECRET_KEY_FALLBACKS"] = [str(number)]
            app.config["SECRET_KEY"] = str(number := number + 1)

    thread = threading.Thread(target=rotate)
    thread.start()
    try:

        def work(n: int) -> None:
            for _ in range(100):
                client = app.test_client()
                assert client.get("/write").status_code == 200
                assert client.get("/read").text in ("dict{str 'count': int 1}", "dict{}")

        together(work, 6)
    finally:
        done.set()
        thread.join()


def test_copy_current_request_context(flavour: Flavour) -> None:
    """One session, first touched by several threads of one request."""
    app = session_app(flavour.interface())

    @app.get("/many")
    def many() -> str:
        def work(n: int) -> Any:
            @flask.copy_current_request_context
            def inside() -> Any:
                session[f"from {n}"] = n
                return session["key 07"]

            return inside

        inside = [work(n) for n in range(8)]
        results = together(lambda n: inside[n](), 8)
        assert all(result == DATA["key 07"] for result in results)
        return "done"

    for _ in range(20):
        visitor = Visitor(app)
        visitor.jar["session"] = token(DATA)
        assert visitor.get("/many").body == "done"
        with app.test_request_context("/", headers={"Cookie": visitor.cookie or ""}):
            assert session == {**DATA, **{f"from {n}": n for n in range(8)}}
