"""`make serve`: keeps the shop running for a browser."""

from __future__ import annotations

import secrets
import signal
import sys

from tour.server import Server


def main(port: int) -> int:
    # However it is asked to stop, the server stops with it.
    for request_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request_to_stop, signal.default_int_handler)
    settings = {"SECRET_KEY": secrets.token_urlsafe()}
    try:
        server = Server("flask_session_rs", settings, port)
    except OSError:
        # Something else listens there.
        server = Server("flask_session_rs", settings)
    with server:
        print(f"The shop is open at {server.url} (its sessions: {server.url}/session)")
        print("Ctrl-C closes it.", flush=True)
        try:
            return server.wait()
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
