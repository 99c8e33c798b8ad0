"""A pytest plugin: Flask's tests import a private name that newer pytest has renamed."""

from typing import Any

from _pytest import monkeypatch

module: Any = monkeypatch
if not hasattr(module, "notset"):
    module.notset = module.NOTSET
