"""What a client object is: settings for the native transport, or an object that is used through its own methods.

Neither redis-py nor valkey-py is imported here: whoever has a client of theirs has imported them.
"""

from __future__ import annotations

import inspect
import os
import sys
import typing as t
from types import ModuleType

from .errors import UnsupportedClient

#: What is accepted, for the errors that say so.
ACCEPTED = (
    "give a URL (redis://, rediss://, redis+unix://) or a client object of redis-py or valkey-py,"
    " a cluster's, a Sentinel-managed one and one of fakeredis included"
)

#: Each library, and what its class of clients is called.
_LIBRARIES = {"redis": "Redis", "valkey": "Valkey"}

_POOLS = ("ConnectionPool", "BlockingConnectionPool")

#: Settings that do not bear on where the server is and who is let in: time-outs, retries and health checks, which
#: the native transport has of its own; how replies become Python objects; how the client is called; what it caches.
_IMMATERIAL = frozenset(
    {
        "cache_allow_list",
        "cache_deny_list",
        "cache_enabled",
        "cache_max_size",
        "cache_policy",
        "cache_ttl",
        "client_cache",
        "client_name",
        "command_packer",
        "decode_responses",
        "driver_info",
        "event_dispatcher",
        "health_check_interval",
        "himport_registry",
        "legacy_responses",
        "lib_name",
        "lib_version",
        "maint_notifications_config",
        "maint_notifications_pool_handler",
        "orig_host_address",
        "orig_socket_connect_timeout",
        "orig_socket_timeout",
        "parser_class",
        "retry",
        "retry_on_error",
        "retry_on_timeout",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_keepalive_options",
        "socket_read_size",
        "socket_timeout",
        "socket_type",
    }
)

#: TLS 1.2, the least that the native transport speaks.
_TLS_1_2 = 0x0303


class TlsSettings(t.NamedTuple):
    """How a client does TLS: paths of PEM files, and what of the server's certificate is verified."""

    ca_file: str | None
    certificate: str | None
    key: str | None
    verifies_chain: bool
    verifies_host: bool


class Settings(t.NamedTuple):
    """Where a client's server is, and what it wants to know."""

    #: Of a unix socket; host and port do not count then.
    path: str | None
    host: str
    port: int
    database: int
    username: str | None
    password: bytes | None
    resp3: bool
    tls: TlsSettings | None


def native_settings(client: t.Any) -> Settings | None:
    """What the native transport needs to know in order to take the client's place.

    It does so for a client that is nothing but settings: exactly of redis-py's or valkey-py's class,
    with a pool and connections of the library's own classes, and no setting that the native transport
    does not have. Any other is used through its own methods: slower, never different.

    :return: None for a client that is used through its own methods.
    :raises UnsupportedClient: for what is no client that can be used; says what is accepted.
    """
    _refuse_other_than_clients(client)
    for library, name in _LIBRARIES.items():
        if type(client) is _find(library, "client", name):
            return _settings_of(library, client)
    return None


def _refuse_other_than_clients(client: t.Any) -> None:
    if client is None:
        raise UnsupportedClient(f"no Redis client is given: {ACCEPTED}")
    if isinstance(client, (type, ModuleType)):
        kind = "class" if isinstance(client, type) else "module"
        raise UnsupportedClient(f"a {kind} is no Redis client: {ACCEPTED}")
    execute = _method(client, "execute_command")
    if inspect.iscoroutinefunction(execute) or _is_asynchronous(client):
        raise UnsupportedClient(f"an asyncio client cannot serve Flask's sessions: {ACCEPTED}")
    # Of what has commands, a Sentinel and a subscription have no pipelines, and a pipeline only collects them.
    if (
        execute is None
        or _method(client, "pipeline") is None
        or _method(client, "execute") is not None
    ):
        kind = type(client).__qualname__
        raise UnsupportedClient(f"an object of type {kind} is no Redis client: {ACCEPTED}")


def _method(client: t.Any, name: str) -> t.Any:
    """The method of this name; None where there is none, or an object in the client's place that raises."""
    try:
        method = getattr(client, name, None)
    except Exception:
        return None
    return method if callable(method) else None


def _is_asynchronous(client: t.Any) -> bool:
    return any("asyncio" in cls.__module__.split(".") for cls in type(client).__mro__)


def _find(library: str, module: str, name: str) -> t.Any:
    """A class of a library, if the program has imported it."""
    return getattr(sys.modules.get(f"{library}.{module}"), name, None)


def _settings_of(library: str, client: t.Any) -> Settings | None:
    pool = client.connection_pool
    if not any(type(pool) is _find(library, "connection", name) for name in _POOLS):
        return None
    if "execute_command" in vars(client):
        # Put there to see or to change the commands.
        return None
    cls = pool.connection_class
    ways = ("Connection", "SSLConnection", "UnixDomainSocketConnection")
    for way in ways:
        if cls is _find(library, "connection", way):
            given = _Given(pool.connection_kwargs, _defaults(cls))
            return _read(library, way, given)
    return None


def _defaults(cls: type) -> dict[str, t.Any]:
    """What a class of connections takes for each setting that is not given."""
    defaults: dict[str, t.Any] = {}
    for ancestor in reversed(cls.__mro__):
        if "__init__" in vars(ancestor) and ancestor is not object:
            for name, parameter in inspect.signature(vars(ancestor)["__init__"]).parameters.items():
                defaults[name] = parameter.default
    return defaults


class _Given:
    """The settings that a client's connections are made with; those that are asked for are crossed off."""

    def __init__(self, given: t.Mapping[str, t.Any], defaults: t.Mapping[str, t.Any]) -> None:
        self._given = given
        self._defaults = defaults
        self._left = set(given) - _IMMATERIAL

    def take(self, name: str) -> t.Any:
        """The setting of this name, or what the library takes in its place."""
        self._left.discard(name)
        return self._given.get(name, self._defaults.get(name))

    def is_exhausted(self) -> bool:
        """Whether nothing that was not asked for is other than the library's own default."""
        return all(self._is_plain(name) for name in self._left)

    def _is_plain(self, name: str) -> bool:
        value = self._given[name]
        if value is None or value is False:
            return True
        default = self._defaults.get(name)
        return type(value) is type(default) and bool(value == default)


def _read(library: str, way: str, given: _Given) -> Settings | None:
    """The settings, if all of them are such as the native transport has, too."""
    unix = way == "UnixDomainSocketConnection"
    tls = _read_tls(given) if way == "SSLConnection" else None
    username, password = given.take("username"), given.take("password")
    provider = given.take("credential_provider")
    if provider is not None:
        # Any other asks somebody each time.
        if type(provider) is not _find(
            library, "credentials", "UsernamePasswordCredentialProvider"
        ):
            return None
        username, password = provider.username, provider.password
    try:
        settings = Settings(
            path=_path(given.take("path")) if unix else None,
            host="" if unix else given.take("host"),
            port=0 if unix else int(given.take("port")),
            database=int(given.take("db") or 0),
            username=_text(username),
            password=_bytes(password),
            resp3=int(given.take("protocol") or 2) == 3,
            tls=tls,
        )
    except (TypeError, ValueError):
        return None
    if not given.is_exhausted() or (way == "SSLConnection" and tls is None):
        return None
    if not 0 <= settings.database < 1 << 32:
        return None
    if unix:
        return settings if settings.path and "\0" not in settings.path else None
    is_host = isinstance(settings.host, str) and settings.host != ""
    return settings if is_host and 0 < settings.port < 1 << 16 else None


def _read_tls(given: _Given) -> TlsSettings | None:
    minimum = given.take("ssl_min_version")
    if minimum is not None and int(minimum) > _TLS_1_2:
        return None
    requirement = given.take("ssl_cert_reqs")
    # A word, or a constant of the ssl module, whose name ends in that word.
    word = "none" if requirement is None else getattr(requirement, "name", requirement)
    word = str(word).lower().removeprefix("cert_")
    if word not in ("none", "optional", "required"):
        return None
    check = given.take("ssl_check_hostname")
    try:
        return TlsSettings(
            ca_file=_path(given.take("ssl_ca_certs")),
            certificate=_path(given.take("ssl_certfile")),
            key=_path(given.take("ssl_keyfile")),
            # For a client, Python's ssl module makes no difference between optional and required.
            verifies_chain=word != "none",
            verifies_host=bool(check),
        )
    except TypeError:
        return None


def _path(path: t.Any) -> str | None:
    """A path that is given; an empty one is none."""
    return os.fsdecode(path) if path else None


def _text(value: t.Any) -> str | None:
    """A name; an empty one is none, as it is for the libraries."""
    if not value:
        return None
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    raise TypeError


def _bytes(value: t.Any) -> bytes | None:
    if not value:
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise TypeError
