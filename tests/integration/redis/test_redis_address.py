"""What an address of Redis says is what is done: user, password, database, TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from persistence.redis.client import RedisStore
from persistence.redis.link import REQUEST_S, RedisAway, RedisLink
from persistence.shared.wakeups import RedisWakeups
from tests.fixtures.redis_server import RedisServer
from tests.fixtures.reserved import free_port

PATIENCE_S = 60.0
PASSWORD = "p@s/s:w%rd"
ENCODED = "p%40s%2Fs%3Aw%25rd"


def certify(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    paths = folder / "redis.crt", folder / "redis.key"
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RedisServer, str, Path]]:
    """A Redis with one user of ours; its encrypted address and its certificate."""
    folder = tmp_path_factory.mktemp("redis-guarded")
    certificate, key = certify(folder)
    port = free_port()
    with RedisServer(
        folder,
        user=f"clinic on >{PASSWORD} ~* &* +@all",
        requirepass="of-the-default-user",
        tls_port=port,
        tls_cert_file=str(certificate),
        tls_key_file=str(key),
        tls_auth_clients="no",
    ) as server:
        yield server, f"rediss://clinic:{ENCODED}@127.0.0.1:{port}", certificate


async def test_user_password_database_and_encryption_are_those_of_the_address(
    guarded: tuple[RedisServer, str, Path],
) -> None:
    """On the link of requests as on the store of the journal."""
    server, address, certificate = guarded
    url = f"{address}/3?ssl_ca_certs={certificate}"
    plain = f"redis://clinic:{ENCODED}@127.0.0.1:{server.port}/3"
    for number, one in enumerate((url, plain)):
        link = RedisLink(one, timeout_s=PATIENCE_S)
        assert await link.ask("ACL", "WHOAMI") == b"clinic"
        assert await link.ask("SET", f"key{number}", "x") == b"OK"
        info = (await link.ask("CLIENT", "INFO")).decode()
        assert " db=3 " in info
        assert f":{server.port} " in info if one == plain else ":" in info
        await link.close()
        store = RedisStore(one)
        assert await store.ask("GET", f"key{number}") == b"x"
        await store.close()


async def test_what_is_published_is_heard_over_tls(
    guarded: tuple[RedisServer, str, Path],
) -> None:
    """Both ends of a wake-up, encrypted."""
    _, address, certificate = guarded
    bell = RedisWakeups(f"{address}/3?ssl_ca_certs={certificate}", "tls", ["jobs"])
    assert await bell.wait("jobs", PATIENCE_S), "it began to listen"
    bell.notify("jobs")
    assert await bell.wait("jobs", PATIENCE_S)
    await bell.close()


async def test_a_request_does_not_wait_until_certificates_are_read(
    guarded: tuple[RedisServer, str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read before the first call, and not again for each connection: it would
    take more than a request's whole time."""
    _, address, certificate = guarded
    read: list[str] = []
    made = ssl.create_default_context

    def slow(cafile: str | None) -> ssl.SSLContext:
        read.append(cafile or "")
        time.sleep(2 * REQUEST_S)
        return made(cafile=cafile)

    monkeypatch.setattr(ssl, "create_default_context", slow)
    own = certificate.with_name("another-name.crt")
    own.write_bytes(certificate.read_bytes())
    link = RedisLink(f"{address}/3?ssl_ca_certs={own}")
    assert read == [str(own)]
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(2):
            while await answered(link) is None:  # noqa: ASYNC110 - deadline above
                await asyncio.sleep(0.01)
            link._wire.drop()
    assert read == [str(own)]
    os.utime(own, ns=(1, 1))
    async with asyncio.timeout(PATIENCE_S):
        while await answered(link) is None:  # noqa: ASYNC110 - deadline above
            await asyncio.sleep(0.01)
    assert read == [str(own), str(own)], "it may be another authority now"
    await link.close()


async def answered(link: RedisLink) -> bytes | None:
    try:
        return bytes(await link.ask("PING"))
    except RedisAway:
        return None


async def test_wrong_passwords_and_unknown_certificates_are_refused(
    guarded: tuple[RedisServer, str, Path],
) -> None:
    """The reason is said, and never the password."""
    server, address, _ = guarded
    wrong = f"redis://clinic:geheim@127.0.0.1:{server.port}/3"
    for url, reason in ((wrong, "WRONGPASS"), (address, "certificate")):
        link = RedisLink(url, timeout_s=PATIENCE_S)
        with pytest.raises(RedisAway, match=reason) as error:
            await link.ask("PING")
        said = f"{error.value} {link.standing().detail}"
        assert "geheim" not in said
        assert PASSWORD not in said
        assert ENCODED not in said
        await link.close()
