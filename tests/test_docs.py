"""What the documentation says of settings, against the code that reads them."""

from __future__ import annotations

import ast
import datetime
import inspect
import re
import typing as t

import flask
import pytest

from flask_session_rs import extension
from flask_session_rs import RedisSessionInterface
from flask_session_rs import SecureCookieSessionInterface
from flask_session_rs import Session
from flask_session_rs import SessionStoreError

from . import documents

CONFIGURATION = documents.PAGES["configuration.md"]
#: Settings that Flask's classes have as attributes, which is how they are read.
AS_ATTRIBUTES = {
    "secret_key": "SECRET_KEY",
    "permanent_session_lifetime": "PERMANENT_SESSION_LIFETIME",
}


def settings_in_sources() -> set[str]:
    """Every name of a setting that stands as a text of its own in the code."""
    flasks = set(flask.Flask("settings").config)
    found = set()
    for pattern in ("src/py/*.rs", "python/flask_session_rs/*.py"):
        for path in documents.ROOT.glob(pattern):
            for name in re.findall(r'"(\w+)"', path.read_text(encoding="utf-8")):
                name = AS_ATTRIBUTES.get(name, name)
                if name.startswith("SESSION_") or name in flasks:
                    found.add(name)
    return found


def documented_settings() -> dict[str, dict[str, str]]:
    rows = documents.rows_with(CONFIGURATION, "setting", "default")
    names = [documents.code(row["setting"]) for row in rows]
    assert len(set(names)) == len(names), "a setting is there twice"
    return dict(zip(names, rows, strict=True))


def value(cell: str) -> t.Any:
    """A default as it stands in a cell."""
    text = documents.code(cell)
    if match := re.fullmatch(r"timedelta\(days=(\d+)\)", text):
        return datetime.timedelta(days=int(match[1]))
    return ast.literal_eval(text)


def test_the_settings_that_are_documented_are_those_that_are_read() -> None:
    assert set(documented_settings()) == settings_in_sources()


@pytest.mark.parametrize("name", sorted(documented_settings()))
def test_the_default_of_a_setting(name: str) -> None:
    row = documented_settings()[name]
    default = value(row["default"])
    if "argument" not in row:
        shipped = flask.Flask("defaults").config[name]
        assert (default, type(default)) == (shipped, type(shipped))
    elif name == "SESSION_TYPE":
        app = flask.Flask("defaults")
        Session(app)
        assert app.config[name] == default == "cookie"
        assert isinstance(app.session_interface, SecureCookieSessionInterface)
    else:
        argument = documents.code(row["argument"])
        known = {key: setting.argument for key, setting in extension._REDIS_SETTINGS.items()}
        assert (known | {"SESSION_REDIS": "client"})[name] == argument
        parameter = inspect.signature(RedisSessionInterface).parameters[argument]
        assert (default, type(default)) == (parameter.default, type(parameter.default))


def test_every_argument_of_the_interfaces_is_documented() -> None:
    rows = documented_settings().values()
    documented = {documents.code(row["argument"]) for row in rows if row.get("argument")}
    assert documented == set(inspect.signature(RedisSessionInterface).parameters)
    heading = "argument of `SecureCookieSessionInterface`"
    (row,) = documents.table(CONFIGURATION, heading)
    (name,) = inspect.signature(SecureCookieSessionInterface).parameters
    assert documents.code(row[heading]) == name
    assert value(row["default"]) == getattr(SecureCookieSessionInterface, name)


def test_the_options_of_a_url_are_those_that_are_known() -> None:
    rows = documents.table(CONFIGURATION, "option")
    with pytest.raises(SessionStoreError, match="known are") as caught:
        RedisSessionInterface("redis://localhost?nosuch=1")
    known = re.sub(r".*known are ", "", str(caught.value))
    names = re.findall(r"\b(?!and\b|under\b|rediss\b)\w+", known)
    assert [documents.code(row["option"]) for row in rows] == names


@pytest.mark.parametrize("page", documents.PAGES)
def test_samples_are_python(page: str) -> None:
    for sample in documents.samples(documents.PAGES[page], "python"):
        compile(sample.text, f"{page}:{sample.line}", "exec")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_links_of_pages_beside_the_site_lead_somewhere(name: str) -> None:
    """Those of the site itself are checked when it is built, to the heading."""
    page = documents.ROOT / name
    for target in documents.links(page):
        assert (page.parent / target).exists(), target
