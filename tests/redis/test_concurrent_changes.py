"""What two requests of one session do to each other, a sentence of the promises at a time."""

from __future__ import annotations

import json
import time
import typing as t

import flask
import msgspec
import pytest

from flask_session_rs import SessionStoreUnavailable

from . import steps
from .flavours import FLASK_SESSION
from .flavours import Flavour
from .scripted import ScriptedServer
from .server import RedisServer
from .steps import begin
from .steps import request
from .steps import Store
from .steps import told
from .steps import under_way
from .steps import Use


@pytest.fixture
def store(server: RedisServer) -> Store:
    return Store(server.client)


@pytest.fixture
def app(flavour: Flavour, server: RedisServer) -> flask.Flask:
    """Without refresh: what a response says of the cookie is then about this request's own change."""
    return steps.new_app(flavour, server.unix_url(), SESSION_REFRESH_EACH_REQUEST=False)


def put(**items: t.Any) -> Use:
    return lambda session: session.update(items)


def append(key: str, value: object) -> Use:
    return lambda session: session[key].append(value)


def count(session: t.Any) -> None:
    session["count"] = session.get("count", 0) + 1


def log_in(user: str) -> Use:
    def do(session: t.Any) -> None:
        session.clear()
        session["user"] = user

    return do


def empty(session: t.Any) -> None:
    for key in [key for key in session if key != "_permanent"]:
        del session[key]


LOST = pytest.mark.flask_session_breaks("the whole record is written by whoever is saved last")
BACK = pytest.mark.flask_session_breaks("a session that has ended is written again")


class TestDifferentKeys:
    @LOST
    def test_both_changes_survive(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1)
        first, second = under_way(app, sid, put(b=2)), under_way(app, sid, put(c=3))
        assert told(first.finish()) == told(second.finish()) == ("set", sid)
        assert store.get(sid) == {"a": 1, "b": 2, "c": 3}

    @LOST
    def test_nested_lists_in_both_survive(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, cart=[1], seen=[1], left=[1])
        first, second = (
            under_way(app, sid, append("cart", 2)),
            under_way(app, sid, append("seen", 3)),
        )
        first.finish()
        second.finish()
        assert store.get(sid) == {"cart": [1, 2], "seen": [1, 3], "left": [1]}

    @LOST
    def test_one_sets_and_one_removes(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1, b=2)
        first, second = under_way(app, sid, put(c=3)), under_way(app, sid, lambda s: s.pop("a"))
        first.finish()
        second.finish()
        assert store.get(sid) == {"b": 2, "c": 3}

    @LOST
    def test_of_three_at_once(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1)
        several = [under_way(app, sid, put(**{f"key {n}": n})) for n in range(3)]
        for each in reversed(several):
            each.finish()
        assert store.get(sid) == {"a": 1, "key 0": 0, "key 1": 1, "key 2": 2}

    @LOST
    def test_while_many_are_under_way(self, app: flask.Flask, store: Store) -> None:
        """Each of them conflicts with the one before, and with no more than that."""
        sid = begin(app, a=1)
        several = [under_way(app, sid, put(**{f"key {n}": n})) for n in range(40)]
        for each in several:
            each.finish()
        assert store.get(sid) == {"a": 1, **{f"key {n}": n for n in range(40)}}


class TestTheSameKey:
    def test_the_last_save_wins(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1)
        first, second = under_way(app, sid, put(a=2)), under_way(app, sid, put(a=3))
        second.finish()
        first.finish()
        assert store.get(sid) == {"a": 2}

    @LOST
    def test_values_are_never_merged(self, app: flask.Flask, store: Store) -> None:
        """A list with both values would be a guess."""
        sid = begin(app, cart=[1], tree={"a": 1})
        first = under_way(app, sid, lambda s: (s["cart"].append(2), s["tree"].update(b=2)))
        second = under_way(app, sid, lambda s: (s["cart"].append(3), s["tree"].update(c=3)))
        first.finish()
        second.finish()
        assert store.get(sid) == {"cart": [1, 3], "tree": {"a": 1, "c": 3}}

    @LOST
    def test_wins_for_that_key_alone(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1)
        first, second = under_way(app, sid, put(a=2, b=2)), under_way(app, sid, put(a=3, c=3))
        first.finish()
        second.finish()
        assert store.get(sid) == {"a": 3, "b": 2, "c": 3}

    def test_set_by_one_and_removed_by_the_other(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1, b=1)
        first, second = under_way(app, sid, put(a=2)), under_way(app, sid, lambda s: s.pop("a"))
        first.finish()
        second.finish()
        assert store.get(sid) == {"b": 1}

    def test_removed_by_one_and_set_by_the_other(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1, b=1)
        first, second = under_way(app, sid, put(a=2)), under_way(app, sid, lambda s: s.pop("a"))
        second.finish()
        first.finish()
        assert store.get(sid) == {"a": 2, "b": 1}

    def test_a_counter_loses_one(self, app: flask.Flask, store: Store) -> None:
        """As documented: it would take a lock."""
        sid = begin(app, count=5)
        first, second = under_way(app, sid, count), under_way(app, sid, count)
        first.finish()
        second.finish()
        assert store.get(sid) == {"count": 6}


class TestASlowReader:
    @pytest.mark.flask_session_breaks("it writes back what it read")
    @pytest.mark.parametrize("refresh", [True, False])
    def test_erases_nothing(
        self, flavour: Flavour, server: RedisServer, store: Store, refresh: bool
    ) -> None:
        app = steps.new_app(flavour, server.unix_url(), SESSION_REFRESH_EACH_REQUEST=refresh)
        sid = begin(app, a=1)
        slow = under_way(app, sid, lambda session: session["a"])
        request(app, sid, put(user="ann"))
        with server.commands() as sent:
            slow.finish()
            assert sent.names() == []
        assert store.get(sid) == {"a": 1, "user": "ann"}

    @pytest.mark.flask_session_breaks("it writes back what it read")
    def test_brings_nothing_back(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1)
        slow = under_way(app, sid, lambda session: session["a"])
        request(app, sid, lambda session: session.clear())
        assert told(slow.finish()) == "left alone"
        assert store.all() == {}

    def test_may_refresh_the_cookie_of_an_id_that_has_ended(
        self, native: Flavour, server: RedisServer, store: Store
    ) -> None:
        """Documented: asking again would cost each reader a round trip."""
        app = steps.new_app(native, server.unix_url())
        sid = begin(app, a=1)
        slow = under_way(app, sid, lambda session: session["a"])
        request(app, sid, steps.regenerate)
        assert told(slow.finish()) == ("set", sid)
        assert sid not in store.all()

    @pytest.mark.parametrize("refresh", [True, False])
    def test_that_sets_what_was_there_is_told_that_the_session_has_ended(
        self, native: Flavour, server: RedisServer, store: Store, refresh: bool
    ) -> None:
        """It is no reader: it asked for its session to be saved."""
        app = steps.new_app(native, server.unix_url(), SESSION_REFRESH_EACH_REQUEST=refresh)
        sid = begin(app, a=1)
        slow = under_way(app, sid, put(a=1))
        request(app, sid, steps.regenerate)
        assert told(slow.finish()) == "left alone"
        assert sid not in store.all()


class TestALogout:
    @BACK
    @pytest.mark.parametrize("use", [put(b=2), steps.regenerate, log_in("bob"), append("cart", 2)])
    def test_ends_what_is_under_way(self, app: flask.Flask, store: Store, use: Use) -> None:
        sid = begin(app, user="ann", cart=[1])
        slow = under_way(app, sid, use)
        assert told(request(app, sid, lambda session: session.clear())) == "deleted"
        assert told(slow.finish()) == "left alone"
        assert store.all() == {}

    def test_wins_over_what_was_written_meanwhile(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, user="ann")
        slow = under_way(app, sid, lambda session: session.clear())
        request(app, sid, put(b=2))
        assert told(slow.finish()) == "deleted"
        assert store.all() == {}

    @pytest.mark.flask_session_breaks("it deletes the cookie whatever has become of the session")
    def test_after_a_regenerate_leaves_the_new_cookie_alone(
        self, app: flask.Flask, store: Store
    ) -> None:
        sid = begin(app, user="ann")
        slow = under_way(app, sid, lambda session: session.clear())
        moved = told(request(app, sid, steps.regenerate))
        assert told(slow.finish()) == "left alone"
        assert store.all() == {moved[1]: {"user": "ann"}}

    def test_of_the_next_request_begins_anew(self, app: flask.Flask, store: Store) -> None:
        """A cookie that names nothing is as good as none: another id, never the one that was sent."""
        sid = begin(app, user="ann")
        request(app, sid, lambda session: session.clear())
        said = told(request(app, sid, put(a=1)))
        assert said[0] == "set"
        assert said[1] != sid
        assert store.all() == {said[1]: {"a": 1}}


class TestClearedAndFilledAgain:
    @LOST
    def test_takes_nothing_over(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, user="ann", cart=[1])
        slow = under_way(app, sid, log_in("bob"))
        request(app, sid, put(secret="ann's"))
        assert told(slow.finish()) == ("set", sid)
        assert store.get(sid) == {"user": "bob"}

    def test_takes_nothing_over_under_a_new_id(self, app: flask.Flask, store: Store) -> None:
        def use(session: t.Any) -> None:
            log_in("bob")(session)
            steps.regenerate(session)

        sid = begin(app, user="ann")
        if app.session_interface.__class__.__module__.startswith("flask_session."):
            request(app, sid, put(secret="ann's"))
            slow = under_way(app, sid, use)
        else:
            slow = under_way(app, sid, use)
            request(app, sid, put(secret="ann's"))
        said = told(slow.finish())
        assert store.all() == {said[1]: {"user": "bob"}}

    def test_with_what_was_in_it_before(self, native: Flavour, server: RedisServer) -> None:
        """The same as it was when it was read, and no longer what others made of it."""
        store = Store(server.client)
        app = steps.new_app(native, server.unix_url())
        sid = begin(app, user="ann")
        slow = under_way(app, sid, log_in("ann"))
        request(app, sid, put(secret="ann's"))
        slow.finish()
        assert store.get(sid) == {"user": "ann"}


class TestEmptiedKeyByKey:
    @LOST
    def test_lives_on_with_what_was_added_meanwhile(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1, b=2)
        slow = under_way(app, sid, empty)
        request(app, sid, put(c=3))
        assert told(slow.finish()) == "left alone"
        assert store.get(sid) == {"c": 3}

    @BACK
    @pytest.mark.parametrize("use", [put(c=3), put(a=2), append("cart", 2)])
    def test_has_ended_for_what_is_added_after_that(
        self, app: flask.Flask, store: Store, use: Use
    ) -> None:
        """In the other order: a record that is gone is not begun again, whoever has emptied it and how."""
        sid = begin(app, a=1, cart=[1])
        slow = under_way(app, sid, use)
        assert told(request(app, sid, empty)) == "deleted"
        assert store.all() == {}
        assert told(slow.finish()) == "left alone"
        assert store.all() == {}

    def test_goes_where_nobody_added_anything(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1, b=2)
        slow = under_way(app, sid, empty)
        request(app, sid, lambda session: session.get("a"))
        assert told(slow.finish()) == "deleted"
        assert store.all() == {}

    def test_by_two_that_remove_one_key_each(self, native: Flavour, server: RedisServer) -> None:
        app, store = steps.new_app(native, server.unix_url()), Store(server.client)
        sid = begin(app, a=1, b=2)
        first, second = (
            under_way(app, sid, lambda s: s.pop("a")),
            under_way(app, sid, lambda s: s.pop("b")),
        )
        first.finish()
        second.finish()
        assert store.all() == {}

    @pytest.mark.flask_session_breaks("it deletes the cookie whatever has become of the session")
    def test_leaves_the_cookie_of_a_regenerate_alone(self, app: flask.Flask, store: Store) -> None:
        sid = begin(app, a=1)
        slow = under_way(app, sid, empty)
        moved = told(request(app, sid, steps.regenerate))
        assert told(slow.finish()) == "left alone"
        assert store.all() == {moved[1]: {"a": 1}}


class TestARegenerate:
    @BACK
    @pytest.mark.parametrize("use", [put(b=2), steps.regenerate, log_in("bob"), append("cart", 2)])
    def test_ends_what_is_under_way_under_the_old_id(
        self, app: flask.Flask, store: Store, use: Use
    ) -> None:
        sid = begin(app, user="ann", cart=[1])
        slow = under_way(app, sid, use)
        moved = told(request(app, sid, steps.regenerate))
        assert moved[0] == "set"
        assert moved[1] != sid
        assert told(slow.finish()) == "left alone"
        assert store.all() == {moved[1]: {"user": "ann", "cart": [1]}}

    def test_takes_over_what_was_written_meanwhile(
        self, native: Flavour, server: RedisServer
    ) -> None:
        app, store = steps.new_app(native, server.unix_url()), Store(server.client)
        sid = begin(app, user="ann")
        slow = under_way(app, sid, steps.regenerate)
        request(app, sid, put(b=2))
        moved = told(slow.finish())
        assert store.all() == {moved[1]: {"user": "ann", "b": 2}}

    def test_is_one_step(self, native: Flavour, server: RedisServer) -> None:
        app = steps.new_app(native, server.unix_url())
        sid = begin(app, user="ann")
        request(app, sid, steps.regenerate)
        server.flush()
        sid = begin(app, user="ann")
        slow = under_way(app, sid, steps.regenerate)
        with server.commands() as sent:
            slow.finish()
            assert sent.names() == ["EVALSHA"]


@pytest.mark.parametrize("ours", ["msgpack", "json"])
@pytest.mark.parametrize("theirs", ["msgpack", "json"])
class TestAWorkerOfFlaskSession:
    """A fleet on the way from one to the other, in whichever formats."""

    @pytest.fixture
    def apps(self, server: RedisServer, ours: str, theirs: str) -> tuple[flask.Flask, flask.Flask]:
        from .flavours import NATIVE

        return (
            steps.new_app(NATIVE, server.unix_url(), serialization_format=ours),
            steps.new_app(FLASK_SESSION, server.unix_url(), serialization_format=theirs),
        )

    def test_that_writes_in_between_keeps_its_change(
        self, apps: tuple[flask.Flask, flask.Flask], store: Store, ours: str
    ) -> None:
        app, other = apps
        sid = begin(app, a=1, cart=[1])
        slow = under_way(app, sid, lambda s: (s["cart"].append(2), s.update(b=2)))
        request(other, sid, put(c=3.5, e="é", t=(1, 2)))
        assert told(slow.finish()) == ("set", sid)
        assert store.get(sid) == {"a": 1, "cart": [1, 2], "b": 2, "c": 3.5, "e": "é", "t": [1, 2]}
        assert (store.raw()[sid][:1] == b"{") == (ours == "json")

    def test_that_reads_in_between_changes_nothing_for_us(
        self, apps: tuple[flask.Flask, flask.Flask], store: Store
    ) -> None:
        """It writes the record anew, in its own format."""
        app, other = apps
        sid = begin(app, a=1, b=2)
        slow = under_way(app, sid, lambda session: session.pop("b"))
        request(other, sid, lambda session: session["a"])
        slow.finish()
        assert store.get(sid) == {"a": 1}

    def test_that_begins_the_session(
        self, apps: tuple[flask.Flask, flask.Flask], store: Store
    ) -> None:
        app, other = apps
        sid = begin(other, a=1)
        first, second = under_way(app, sid, put(b=2)), under_way(app, sid, put(c=3))
        first.finish()
        second.finish()
        assert store.get(sid) == {"a": 1, "b": 2, "c": 3}
        seen = under_way(other, sid)
        assert dict(seen.session) == {"_permanent": True, "a": 1, "b": 2, "c": 3}
        seen.close()


class TestConflictsInARow:
    """A server on which somebody else is faster each time."""

    @staticmethod
    def answer(conflicts: int, seconds: float = 0.0) -> t.Callable[[tuple[bytes, ...]], bytes]:
        tries = iter(range(1, 1000))
        seen = [0]

        def record(number: int) -> bytes:
            data = msgspec.msgpack.encode({"_permanent": True, "a": 1, "others": number})
            return b"$%d\r\n%s\r\n" % (len(data), data)

        def answer(words: tuple[bytes, ...]) -> bytes:
            if words[0].startswith(b"GET"):
                return record(seen[-1])
            assert words[0] == b"EVALSHA"
            time.sleep(seconds)
            number = next(tries)
            seen.append(number)
            return record(number) if number <= conflicts else b":1\r\n"

        return answer

    @staticmethod
    def names(server: ScriptedServer) -> list[bytes]:
        return [words[0] for words in server.heard]

    def run(self, native: Flavour, server: ScriptedServer, timeout: float = 1.0) -> None:
        app = steps.new_app(native, server.url, timeout=timeout, SESSION_REFRESH_EACH_REQUEST=False)
        slow = under_way(app, "x" * 43, put(b=2))
        try:
            assert told(slow.save()) == ("set", "x" * 43)
        except SessionStoreUnavailable:
            # The error page is saved, too: to no effect.
            assert told(slow.save()) == "left alone"
            raise
        finally:
            slow.close()

    def test_up_to_four_are_no_failure(self, native: Flavour) -> None:
        for conflicts in range(5):
            with ScriptedServer(self.answer(conflicts)) as server:
                self.run(native, server)
                assert self.names(server).count(b"EVALSHA") == conflicts + 1

    def test_five_are_the_typed_error(self, native: Flavour) -> None:
        with ScriptedServer(self.answer(5)) as server:
            with pytest.raises(SessionStoreUnavailable, match="changed by others too often"):
                self.run(native, server)
            # From the second conflict on it looks again, after a pause.
            again = [b"GET", b"EVALSHA"]
            assert self.names(server) == [b"GET", b"EVALSHA", b"EVALSHA"] + again * 3

    def test_each_try_is_made_on_the_newest_record(self, native: Flavour) -> None:
        with ScriptedServer(self.answer(3)) as server:
            self.run(native, server)
            sent = [words for words in server.heard if words[0] == b"EVALSHA"]
            written = [msgspec.msgpack.decode(words[5]) for words in sent]
            others = [data.pop("others") for data in written]
            assert others == [0, 1, 2, 3]
            assert written == [{"_permanent": True, "a": 1, "b": 2}] * 4

    def test_all_of_them_have_one_deadline(self, native: Flavour) -> None:
        with ScriptedServer(self.answer(5, seconds=0.12)) as server:
            before = time.monotonic()
            with pytest.raises(SessionStoreUnavailable, match="timed out"):
                self.run(native, server, timeout=0.3)
            assert 0.25 < time.monotonic() - before < 0.3 + 0.1

    def test_the_page_is_a_503(self, native: Flavour) -> None:
        with ScriptedServer(self.answer(5)) as server:
            app = steps.new_app(native, server.url, SESSION_REFRESH_EACH_REQUEST=False)
            app.add_url_rule("/", "page", lambda: flask.session.update(b=2) or "")
            client = app.test_client()
            client.set_cookie("session", "x" * 43)
            response = client.get("/")
            # Raised after the view: Flask's own way to handle it.
            assert response.status_code in (500, 503)
            assert "Set-Cookie" not in response.headers


def test_a_record_that_cannot_be_read_any_longer_has_ended(
    native: Flavour, server: RedisServer
) -> None:
    """It is left as it is."""
    app, store = steps.new_app(native, server.unix_url()), Store(server.client)
    for broken in (b"\xc1 junk", b"[1]", json.dumps([1]).encode()):
        sid = begin(app, a=1)
        slow = under_way(app, sid, put(b=2))
        store.put(sid, broken)
        assert told(slow.finish()) == "left alone"
        assert store.raw()[sid] == broken
