"""Certificates for TLS, made anew for each run: a good one, and one for each way to be bad."""

from __future__ import annotations

import datetime
import typing as t
from pathlib import Path

import trustme

EXPIRED = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)


class Certificates(t.NamedTuple):
    """Files in PEM: a server's certificate with its key, and what a client needs."""

    ca_pem: Path
    server_pem: Path
    client_pem: Path
    client_key: Path
    client_certificate: Path


def make(
    directory: Path, *names: str, expires: datetime.datetime | None = None, name: str = "good"
) -> Certificates:
    """Certificates of an authority of their own; the server's is for these names and addresses."""
    authority = trustme.CA()
    server = authority.issue_cert(*(names or ("localhost", "127.0.0.1")), not_after=expires)
    client = authority.issue_cert("client@example.com")
    files = Certificates(
        *(directory / f"{name}-{part}.pem" for part in ("ca", "server", "client", "key", "cert"))
    )
    authority.cert_pem.write_to_path(str(files.ca_pem))
    server.private_key_and_cert_chain_pem.write_to_path(str(files.server_pem))
    client.private_key_and_cert_chain_pem.write_to_path(str(files.client_pem))
    client.private_key_pem.write_to_path(str(files.client_key))
    client.cert_chain_pems[0].write_to_path(str(files.client_certificate))
    return files
