"""The parts on their own: the codec against itsdangerous, item assignment against Flask's session."""

from __future__ import annotations

import typing as t

import flask
import flask.sessions
from itsdangerous import URLSafeTimedSerializer
from pytest_benchmark.fixture import BenchmarkFixture

import flask_session_rs
from flask_session_rs._native import TokenCodec

from .interleaved import measure
from .interleaved import repeated
from .results import Results
from .results import target
from .served import SESSION


def _row(
    results: Results,
    benchmark: BenchmarkFixture,
    name: str,
    stock: t.Callable[[], object],
    ours: t.Callable[[], object],
    *,
    calls: int,
    rounds: int,
    least: float,
) -> None:
    result = measure(
        benchmark,
        {"stock": repeated(stock), "ours": repeated(ours)},
        calls=calls,
        rounds=rounds,
    )
    results.add(
        "parts",
        call=name,
        stock=result.microseconds("stock"),
        ours=result.microseconds("ours"),
        ratio=target(result.ratio("stock", "ours"), at_least=least),
    )


def _serializers() -> tuple[URLSafeTimedSerializer, TokenCodec]:
    app = flask.Flask(__name__)
    app.secret_key = "a secret of a usual length, 32 by"
    stock = flask.sessions.SecureCookieSessionInterface().get_signing_serializer(app)
    assert stock is not None
    return stock, TokenCodec([app.secret_key])


def test_loads(benchmark: BenchmarkFixture, results: Results, rounds: int) -> None:
    stock, ours = _serializers()
    theirs, token = stock.dumps(SESSION), ours.dumps(SESSION)
    assert stock.loads(theirs, max_age=3600) == ours.loads(token, 3600) == SESSION
    with flask.Flask(__name__).app_context():
        _row(
            results,
            benchmark,
            "`loads`",
            lambda: stock.loads(theirs, max_age=3600),
            lambda: ours.loads(token, 3600),
            calls=500,
            rounds=rounds,
            least=12,
        )


def test_dumps(benchmark: BenchmarkFixture, results: Results, rounds: int) -> None:
    stock, ours = _serializers()
    with flask.Flask(__name__).app_context():
        _row(
            results,
            benchmark,
            "`dumps`",
            lambda: stock.dumps(SESSION),
            lambda: ours.dumps(SESSION),
            calls=500,
            rounds=rounds,
            least=20,
        )


def test_item_assignment(benchmark: BenchmarkFixture, results: Results, rounds: int) -> None:
    stock = flask.sessions.SecureCookieSession(SESSION)
    ours = flask_session_rs.SecureCookieSession(SESSION)

    def many(session: t.MutableMapping[str, t.Any]) -> t.Callable[[], None]:
        # The loop's own cost is small beside a hundred assignments.
        hundred = range(100)

        def assign() -> None:
            for _ in hundred:
                session["visits"] = 18

        return assign

    _row(
        results,
        benchmark,
        "100 item assignments",
        many(stock),
        many(ours),
        calls=200,
        rounds=rounds,
        least=6,
    )
