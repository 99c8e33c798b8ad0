"""Sessions in Redis: the same visit, Flask-Session taking turns, an outage, and what a request costs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from flask import Flask
from flask_session.redis import RedisSessionInterface as FlaskSessionInterface  # type: ignore[import-untyped]
from redis import Redis

from flask_session_rs import RedisSessionInterface

from .browser import Browser
from .redis_server import PROGRAM
from .redis_server import RedisServer
from .report import Report
from .request_times import application
from .request_times import CONTENT
from .request_times import interleaved
from .request_times import NoSession
from .request_times import ROUNDS
from .request_times import us
from .request_times import wsgi_request_with
from .server import Server
from .shop_steps import LIFETIME
from .shop_steps import logout
from .shop_steps import shopping
from .shop_steps import taking_turns

#: Seconds for a page in an outage: the store's deadline, and some for the server.
PATIENCE = 1.5


def redis_sessions(report: Report) -> None:
    report.part("Sessions in Redis")
    if PROGRAM is None:
        report.note("left out: redis-server is missing (apt-get install redis-server)")
        return
    with RedisServer() as redis:
        settings = {
            "SECRET_KEY": secrets.token_urlsafe(),
            "PERMANENT_SESSION_LIFETIME": LIFETIME,
            "REDIS": redis.url,
        }
        with (
            Server("flask_session_rs.redis", settings) as ours,
            Server("flask_session.redis", settings) as stock,
        ):
            browser = Browser()
            shopping(report, browser, ours.url)
            records(report, browser, ours.url, redis)
            wrong_ids(report, browser, ours.url)
            taking_turns(report, browser, ours.url, stock.url, "Flask-Session", "Flask-Session")
            outage(report, browser, ours.url, redis)
            logout(report, browser, ours.url)
        costs(report, redis)


def key_of(browser: Browser) -> str:
    return f"session:{browser.cookie}"


def records(report: Report, browser: Browser, shop: str, redis: RedisServer) -> None:
    report.step("In Redis")
    key = key_of(browser)
    left = redis.client.ttl(key)
    report.check("the visitor's record expires in a week", abs(left - LIFETIME) < 60)
    browser.post(f"{shop}/login", name="Visitor", remember="on")
    report.check("a login changes the session's id", key_of(browser) != key)
    report.check("and leaves nothing under the old one", not redis.client.exists(key))

    visitor = Browser()
    visitor.get(shop)
    broken = str(visitor.cookie).encode()
    redis.client.set(key_of(visitor), broken)
    page = visitor.get(f"{shop}/session.json")
    report.check("a record that is none is an absent session, no error", page.status == 200)
    report.check("and stays as it is", redis.client.get(key_of(visitor)) == broken)


def wrong_ids(report: Report, browser: Browser, shop: str) -> None:
    report.step("Somebody sends an id of their own")
    genuine = browser.cookie or ""
    for what, cookie in {
        "one that nobody was given": secrets.token_urlsafe(32),
        "one of other letters": "a*" * 21,
        "one of 3000 letters": "a" * 3000,
    }.items():
        browser.cookie = cookie
        browser.get(shop)
        report.check(f"{what}: a new session under another id", browser.cookie != cookie)
    browser.cookie = genuine
    report.check("the genuine one still works", "Hello, Visitor" in browser.get(shop).text)


def outage(report: Report, browser: Browser, shop: str, redis: RedisServer) -> None:
    report.step("Redis stops")
    cookie = browser.cookie
    redis.stop()
    page = browser.get(f"{shop}/health")
    report.check("a page that ignores its session is served", page.status == 200)
    report.check("without a cookie", "Set-Cookie" not in page.headers)
    start = time.monotonic()
    page = browser.get(shop)
    took = time.monotonic() - start
    report.check("a page that uses it answers 503", page.status == 503)
    report.check(f"within {PATIENCE} s", took < PATIENCE)
    report.check("and leaves the cookie alone", "Set-Cookie" not in page.headers)
    redis.start()
    report.step("and starts again")
    page = browser.get(shop)
    report.check("the same worker goes on at once", page.status == 200)
    report.check("nobody was logged out", "Hello, Visitor" in page.text)
    report.check("the id is still the same", browser.cookie == cookie)


def costs(report: Report, redis: RedisServer) -> None:
    report.step("The same request three times in turn, without a server in between: medians")
    times, sent = [], []
    for refresh in (True, False):
        for name, path in (
            ("session ignored", "/ignored"),
            ("read", "/read"),
            ("changed", "/changed"),
        ):
            calls = requests(path, redis, refresh)
            label = name if refresh else f"{name}, no refresh"
            bare, theirs, ours = interleaved(calls, ROUNDS // 2)
            times.append((label, *map(us, (bare, theirs, ours, theirs - bare, ours - bare))))
            sent.append((label, *(" ".join(redis.commands(call)) or "-" for call in calls[1:])))
    report.table(
        ("us", "no session", "Flask-Session", "ours", "Flask-Session's session", "our session"),
        times,
    )
    report.step(
        "Commands that one such request sends (no refresh: SESSION_REFRESH_EACH_REQUEST off)"
    )
    report.table(("", "Flask-Session", "ours"), sent)


def requests(path: str, redis: RedisServer, refresh: bool) -> list[Callable[[], None]]:
    """The same request with no session, with Flask-Session's and with ours, each with its own record."""
    bare, theirs, ours = (application(NoSession()) for _ in range(3))
    theirs.session_interface = FlaskSessionInterface(theirs, Redis.from_url(redis.url))
    ours.session_interface = RedisSessionInterface(redis.url)
    calls = []
    for app in (bare, theirs, ours):
        app.config["SESSION_REFRESH_EACH_REQUEST"] = refresh
        calls.append(wsgi_request_with(app, path, stored(app)))
    return calls


def stored(app: Flask) -> str:
    """The Cookie header of a visitor whose session is stored."""
    client = app.test_client()
    with client.session_transaction() as opened:
        opened.update(CONTENT)
    found = client.get_cookie("session")
    return f"session={found.value}" if found else ""
