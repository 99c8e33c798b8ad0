"""A visitor: sends requests over HTTP, follows redirects and keeps cookies as a browser does."""

from __future__ import annotations

import json
from email.message import Message
from http.cookiejar import Cookie
from http.cookiejar import CookieJar
from typing import Any
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import build_opener
from urllib.request import HTTPCookieProcessor
from urllib.request import ProxyHandler


class Page(NamedTuple):
    """An answer."""

    status: int
    headers: Message
    text: str


class Browser:
    """Its jar knows hosts, not ports: what one server on this host sets, another one gets."""

    def __init__(self) -> None:
        self._jar = CookieJar()
        # No proxy: the shop is on this very machine, whatever the environment says.
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self._jar))

    def get(self, url: str) -> Page:
        return self._open(url, None)

    def post(self, url: str, **form: str) -> Page:
        return self._open(url, urlencode(form).encode())

    def session(self, server: str) -> dict[str, Any]:
        """What a server finds in the session; of an error its status, which equals no session."""
        page = self.get(f"{server}/session.json")
        if page.status != 200:
            return {"answered": page.status}
        content: dict[str, Any] = json.loads(page.text)["session"]
        return content

    @property
    def cookie(self) -> str | None:
        """The session's cookie; may be replaced by a forged one."""
        found = self.jar_entry()
        return found.value if found else None

    @cookie.setter
    def cookie(self, value: str) -> None:
        found = self.jar_entry()
        assert found is not None, "only a cookie that a server has set can be replaced"
        found.value = value

    def jar_entry(self) -> Cookie | None:
        return next((cookie for cookie in self._jar if cookie.name == "session"), None)

    def _open(self, url: str, body: bytes | None) -> Page:
        try:
            with self._opener.open(url, body, timeout=30) as answer:
                return Page(answer.status, answer.headers, answer.read().decode())
        except HTTPError as error:
            with error:
                return Page(error.code, error.headers, error.read().decode())
