"""The interface that keeps sessions in Redis, under an id that a cookie holds."""

from __future__ import annotations

import typing as t

from flask.sessions import SessionInterface

from . import _native
from .errors import SessionStoreError
from .sessions import RedisSession

if t.TYPE_CHECKING:
    from flask import Flask
    from flask import Response


class RedisSessionInterface(_native.RedisInterface, SessionInterface):
    """Sessions in Redis, in the records of Flask-Session, with native code doing the work.

    ::

        app.session_interface = RedisSessionInterface("redis://localhost:6379/0")

    Nothing is connected before a session is first used. A view that ignores its session sends Redis
    no command, or one where :data:`SESSION_REFRESH_EACH_REQUEST` asks to slide the record's expiry; a
    view that reads sends one, and one that changes something two. Changes inside nested objects are
    saved without :attr:`~RedisSession.modified`.

    Requests of one session that run at the same time keep each other's changes, key by key; a
    session that one of them ended stays ended.

    :param client: A URL (``redis://``, ``rediss://``, ``redis+unix://``), or a client object of
        redis-py or valkey-py.
    :param key_prefix: What stands before the id in a record's key.
    :param use_signer: Sign the id in the cookie with :data:`SECRET_KEY`, as Flask-Session does.
    :param permanent: New sessions begin permanent.
    :param sid_length: Bytes of entropy in a new id, at least 16.
    :param serialization_format: ``"msgpack"`` or ``"json"``. Records in the other format are read, too.
    :param timeout: Seconds that one store operation may take, everything included.
    :param pool_size: Idle connections that are kept for each process.
    :raises SessionStoreError: for a URL or a client that is not accepted; the message says which are.
    :raises ValueError: for any other argument that is out of range.
    """

    session_class = RedisSession

    def __init__(
        self,
        client: t.Any = None,
        *,
        key_prefix: str = "session:",
        use_signer: bool = False,
        permanent: bool = True,
        sid_length: int = 32,
        serialization_format: str = "msgpack",
        timeout: float = 1.0,
        pool_size: int = 32,
    ) -> None:
        super().__init__()
        try:
            self._configure(
                client,
                key_prefix=key_prefix,
                use_signer=use_signer,
                permanent=permanent,
                sid_length=sid_length,
                serialization_format=serialization_format,
                timeout=timeout,
                pool_size=pool_size,
            )
        except SessionStoreError as error:
            # Reports of errors show the variables of each frame, and these may hold a password.
            del client
            raise error.with_traceback(None) from None

    def _set_cookie(
        self, app: Flask, session: RedisSession, response: Response, value: str
    ) -> None:
        """Set the cookie through the hooks of Flask's interface, for an application with its own."""
        response.set_cookie(
            self.get_cookie_name(app),
            value,
            expires=self.get_expiration_time(app, session),
            httponly=self.get_cookie_httponly(app),
            domain=self.get_cookie_domain(app),
            path=self.get_cookie_path(app),
            secure=self.get_cookie_secure(app),
            partitioned=self.get_cookie_partitioned(app),
            samesite=self.get_cookie_samesite(app),
        )
        response.vary.add("Cookie")

    def _delete_cookie(self, app: Flask, response: Response) -> None:
        """Delete the cookie, with every attribute: browsers ignore less under ``__Host-`` names."""
        response.delete_cookie(
            self.get_cookie_name(app),
            domain=self.get_cookie_domain(app),
            path=self.get_cookie_path(app),
            secure=self.get_cookie_secure(app),
            partitioned=self.get_cookie_partitioned(app),
            samesite=self.get_cookie_samesite(app),
            httponly=self.get_cookie_httponly(app),
        )
        response.vary.add("Cookie")
