"""What a visitor does in the shop, wherever its sessions are kept."""

from __future__ import annotations

import json
import time

from .browser import Browser
from .report import Report

LIFETIME = 7 * 24 * 60 * 60


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
    attributes = "; ".join(
        attribute
        for attribute in (page.headers.get("Set-Cookie") or "").split("; ")[1:]
        if not attribute.startswith("Expires=")
    )
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


def taking_turns(
    report: Report, browser: Browser, ours: str, stock: str, name: str, short: str
) -> None:
    """What one of the two servers wrote, the other goes on with."""
    report.step(f"{name} runs next to it, with the same key")
    content = browser.session(ours)
    report.check(f"{short} reads what we wrote", browser.session(stock) == content)
    page = browser.get(stock)
    visits = content["visits"] + 1
    report.check(f"{short} counts on from there", f"Visit number {visits} " in page.text)
    report.check(
        f"we read what {short} wrote",
        browser.session(ours) == content | {"visits": visits},
    )
    page = browser.get(ours)
    report.check("and count on from there", f"Visit number {visits + 1} " in page.text)

    visitor = Browser()
    visitor.post(f"{stock}/login", name="Guest")
    report.check(
        f"who logged in with {short} is logged in here",
        "Hello, Guest" in visitor.get(ours).text,
    )


def logout(report: Report, browser: Browser, shop: str) -> None:
    report.step("The visitor logs out")
    report.check("was logged in until now", "Hello, Visitor" in browser.get(shop).text)
    page = browser.post(f"{shop}/logout")
    report.check("the page asks for a name again", "Your name" in page.text)
    report.check("the counter starts again", "Visit number 1 " in page.text)
    left = {key: value for key, value in browser.session(shop).items() if key != "_permanent"}
    report.check("the cart is empty", left == {"visits": 1})
