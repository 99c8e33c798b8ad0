"""A shop for the demo to visit: customer, cart and messages live in the session."""

from __future__ import annotations

from datetime import datetime
from datetime import timezone
from typing import Any

from flask import flash
from flask import Flask
from flask import jsonify
from flask import redirect
from flask import render_template
from flask import request
from flask import session
from flask import url_for
from werkzeug.wrappers import Response

from .interfaces import comparable
from .interfaces import interface_of
from .meter import cost_of
from .meter import Meter

# Name -> price in cents.
GOODS = {"tea": 450, "coffee": 780, "honey": 620, "bread": 390}


def create_app(kind: str = "flask_session_rs") -> Flask:
    """The shop, its sessions kept by the interface of that name (see ``interfaces.py``).

    Settings come from the environment, so that one command line starts it with another key:
    ``SHOP_SECRET_KEY`` is ``app.config["SECRET_KEY"]``, and so on.
    """
    app = Flask(__name__)
    # A form of another site that posts here arrives without the session.
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.config.from_prefixed_env("SHOP")

    meter = Meter(interface_of(kind, app))
    app.session_interface = meter

    @app.before_request
    def first_use() -> None:
        if request.endpoint not in ("static", "health"):
            meter.time_first_use()

    @app.template_filter("euros")
    def euros(cents: int) -> str:
        return f"{cents / 100:.2f} €"

    @app.get("/")
    def front() -> str:
        session["visits"] = session.get("visits", 0) + 1
        cart: dict[str, int] = session.get("cart", {})
        total = sum(GOODS[name] * count for name, count in cart.items())
        return render_template("front.html", goods=GOODS, cart=cart, total=total)

    @app.post("/login")
    def login() -> Response:
        # Any name will do: this is about sessions, not about accounts.
        name = request.form["name"].strip()[:40]
        if name:
            # Who knew the id of the session before the login does not know it after.
            regenerate = getattr(meter.inner, "regenerate", None)
            if regenerate is not None:
                regenerate(session)
            session["customer"] = name
            session["since"] = datetime.now(timezone.utc)
            session.permanent = "remember" in request.form
            flash(f"Welcome, {name}.")
        return redirect(url_for("front"))

    @app.post("/logout")
    def logout() -> Response:
        session.clear()
        return redirect(url_for("front"))

    @app.post("/cart")
    def add_to_cart() -> Response:
        name = request.form["name"]
        if name in GOODS:
            cart = session.setdefault("cart", {})
            cart[name] = cart.get(name, 0) + 1
            # The session sees assignments to its own keys, not those inside the cart.
            session.modified = True
            flash(f"Added to the cart: {name}.")
        return redirect(url_for("front"))

    @app.get("/session")
    def show_session() -> str:
        cookie_name = app.session_interface.get_cookie_name(app)
        return render_template(
            "session.html",
            content=dict(session),
            cookie_name=cookie_name,
            cookie=request.cookies.get(cookie_name, ""),
            interface=describe(meter.inner),
            recent=list(meter.recent),
            costs={
                describe(interface): cost_of(interface, app, request.environ)
                for interface in comparable(kind, app)
            },
        )

    @app.get("/session.json")
    def session_as_json() -> Response:
        content: dict[str, Any] = dict(session)
        return jsonify(interface=describe(meter.inner), session=content)

    @app.get("/health")
    def health() -> str:
        # Ignores its session, as a view for a load balancer does.
        return "ok"

    return app


def describe(interface: object) -> str:
    """The package an interface comes from: what a reader wants to tell apart."""
    return type(interface).__module__.partition(".")[0]
