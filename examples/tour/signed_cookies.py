"""Signed cookies: a visit to the shop, forgeries, stock Flask next to it, a new key."""

from __future__ import annotations

import json
import secrets
import time

from flask import Flask
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSessionInterface as FlaskInterface
from itsdangerous import TimestampSigner
from itsdangerous import URLSafeTimedSerializer

from .browser import Browser
from .report import Report
from .server import Server

DAY = 24 * 60 * 60
LIFETIME = 7 * DAY


def signed_cookies(report: Report) -> None:
    key = secrets.token_urlsafe()
    settings = {"SECRET_KEY": key, "PERMANENT_SESSION_LIFETIME": LIFETIME}
    report.part("Signed cookies")
    with (
        Server("flask_session_rs", settings) as ours,
        Server("flask", settings) as stock,
    ):
        browser = Browser()
        shopping(report, browser, ours.url)
        forgeries(report, browser, ours.url, key)
        both_interfaces(report, browser, ours.url, stock.url)
        rotation(report, browser, ours.url, key)
        logout(report, browser, ours.url)


def shopping(report: Report, browser: Browser, shop: str) -> None:
    report.step("A visitor comes to the shop")
    page = browser.get(f"{shop}/health")
    report.check(
        "a view that ignores its session sends neither Set-Cookie nor Vary",
        "Set-Cookie" not in page.headers and "Vary" not in page.headers,
    )
    kept_by = json.loads(browser.get(f"{shop}/session.json").text)["interface"]
    report.check("its sessions are kept by flask_session_rs", kept_by == "flask_session_rs")
    page = browser.get(shop)
    report.check("the first page counts visit number 1", "Visit number 1 " in page.text)
    report.check("its answer varies by cookie", page.headers.get("Vary") == "Cookie")
    attributes = (page.headers.get("Set-Cookie") or "").partition("; ")[2]
    report.check(
        f"the cookie carries Flask's attributes: {attributes}",
        attributes == "HttpOnly; Path=/; SameSite=Lax",
    )

    report.step("logs in, and asks to be remembered")
    page = browser.post(f"{shop}/login", name="Visitor", remember="on")
    report.check(
        "the message that was flashed before the redirect is shown", "Welcome" in page.text
    )
    page = browser.get(shop)
    report.check("it is shown once", "Welcome" not in page.text)
    report.check("the page greets by name", "Hello, Visitor" in page.text)
    report.check("the counter goes on", "Visit number 3 " in page.text)
    entry = browser.jar_entry()
    left = (entry.expires or 0) - time.time() if entry else 0
    report.check("the cookie now expires in a week", abs(left - LIFETIME) < 60)

    report.step("and fills the cart")
    for name in ("tea", "tea", "honey"):
        page = browser.post(f"{shop}/cart", name=name)
    report.check("two teas and a honey", browser.session(shop)["cart"] == {"tea": 2, "honey": 1})
    report.check("the page adds them up", "15.20" in page.text)
    page = browser.get(f"{shop}/session")
    report.check("the session's page shows what is in it", page.status == 200)
    report.note(f"the cookie holds {len(browser.cookie or '')} bytes")


def forgeries(report: Report, browser: Browser, shop: str, key: str) -> None:
    report.step("Somebody changes the cookie")
    genuine = browser.cookie or ""
    content = browser.session(shop)
    payload, stamp, signature = genuine.rsplit(".", 2)
    forged = {
        "one letter of the content": f"{flipped(payload)}.{stamp}.{signature}",
        "the time of signing": f"{payload}.{flipped(stamp)}.{signature}",
        "the signature": f"{payload}.{stamp}.{flipped(signature)}",
        "the end, cut off": genuine[:-10],
        "all of it, for 3000 dots": "." * 3000,
    }
    for what, cookie in forged.items():
        browser.cookie = cookie
        report.check(f"{what}: an empty session", browser.session(shop) == {})

    report.step("Somebody keeps a cookie for too long")
    for age, accepted in ((LIFETIME - DAY, True), (LIFETIME + DAY, False)):
        browser.cookie = signed_in_the_past(key, content, age)
        found = browser.session(shop)
        report.check(
            f"signed {age // DAY} days ago: {'accepted' if accepted else 'an empty session'}",
            (found == content) if accepted else (found == {}),
        )
    browser.cookie = genuine
    report.check("the genuine cookie still works", browser.session(shop) == content)


def both_interfaces(report: Report, browser: Browser, ours: str, stock: str) -> None:
    report.step("Stock Flask runs next to it, with the same key")
    content = browser.session(ours)
    report.check("Flask reads the cookie that we wrote", browser.session(stock) == content)
    page = browser.get(stock)
    visits = content["visits"] + 1
    report.check("Flask counts on from there", f"Visit number {visits} " in page.text)
    report.check(
        "we read the cookie that Flask wrote",
        browser.session(ours) == content | {"visits": visits},
    )
    page = browser.get(ours)
    report.check("and count on from there", f"Visit number {visits + 1} " in page.text)

    visitor = Browser()
    visitor.post(f"{stock}/login", name="Guest")
    report.check(
        "who logged in with Flask is logged in here",
        "Hello, Guest" in visitor.get(ours).text,
    )


def rotation(report: Report, browser: Browser, ours: str, old_key: str) -> None:
    report.step("The secret key is replaced, and the old one becomes a fallback")
    new_key = secrets.token_urlsafe()
    content = browser.session(ours)
    before = browser.cookie
    settings = {"SECRET_KEY": new_key, "PERMANENT_SESSION_LIFETIME": LIFETIME}
    with (
        Server("flask_session_rs", settings | {"SECRET_KEY_FALLBACKS": [old_key]}) as rotated,
        Server("flask_session_rs", settings) as finished,
    ):
        report.check("nobody is logged out", browser.session(rotated.url) == content)
        report.check(
            "the next answer signs the session with the new key",
            browser.session(finished.url) == content,
        )
        after = browser.cookie
        browser.cookie = before or ""
        report.check(
            "without the fallback, the old cookie is an empty session",
            browser.session(finished.url) == {},
        )
        browser.cookie = after or ""
        report.check(
            "and the new cookie is one where only the old key is known",
            browser.session(ours) == {},
        )
        browser.cookie = before or ""


def logout(report: Report, browser: Browser, shop: str) -> None:
    report.step("The visitor logs out")
    report.check("was logged in until now", "Hello, Visitor" in browser.get(shop).text)
    page = browser.post(f"{shop}/logout")
    report.check("the page asks for a name again", "Your name" in page.text)
    report.check("the counter starts again", "Visit number 1 " in page.text)
    report.check("the cart is empty", browser.session(shop) == {"visits": 1})


def flipped(part: str) -> str:
    """The same text with its first letter changed."""
    return ("A" if part[0] != "A" else "B") + part[1:]


def signed_in_the_past(key: str, content: dict[str, object], age: int) -> str:
    """A genuine cookie as Flask would have made it `age` seconds ago."""

    class PastSigner(TimestampSigner):
        def get_timestamp(self) -> int:
            return super().get_timestamp() - age

    interface = FlaskInterface()
    serializer = URLSafeTimedSerializer(
        key,
        salt=interface.salt,
        serializer=TaggedJSONSerializer(),
        signer=PastSigner,
        signer_kwargs={
            "key_derivation": interface.key_derivation,
            "digest_method": interface.digest_method,
        },
    )
    with Flask(__name__).app_context():
        cookie = serializer.dumps(content)
    assert isinstance(cookie, str)
    return cookie
