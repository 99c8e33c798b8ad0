"""Signed cookies: a visit to the shop, forgeries, stock Flask next to it, a new key."""

from __future__ import annotations

import secrets

from flask import Flask
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSessionInterface as FlaskInterface
from itsdangerous import TimestampSigner
from itsdangerous import URLSafeTimedSerializer

from .browser import Browser
from .report import Report
from .server import Server
from .shop_steps import LIFETIME
from .shop_steps import logout
from .shop_steps import shopping
from .shop_steps import taking_turns

DAY = 24 * 60 * 60


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
        taking_turns(report, browser, ours.url, stock.url, "Stock Flask", "Flask")
        rotation(report, browser, ours.url, key)
        logout(report, browser, ours.url)


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
