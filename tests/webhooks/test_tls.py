"""TLS is checked for the name while the connection goes to the address that was checked."""

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core import clock
from tests.webhooks.conftest import Hooks
from tests.webhooks.receiver import Receiver

NAME = "hooks.example.org"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of its own making for one name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = clock.to_datetime(clock.system_now())
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    directory = tmp_path_factory.mktemp("tls")
    (directory / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return directory / "cert.pem", directory / "key.pem"


@pytest.fixture
def tls_receiver(
    certificate: tuple[Path, Path],
    make_receiver: Callable[..., Receiver],
    outgoing: Callable[..., None],
) -> Receiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    outgoing(resolve=lambda _: ["127.0.0.1"])
    return make_receiver(context)


def test_the_certificate_is_asked_for_the_name(
    hooks: Hooks,
    tls_receiver: Receiver,
    certificate: tuple[Path, Path],
    outgoing: Callable[..., None],
) -> None:
    outgoing(make_context=lambda: ssl.create_default_context(cafile=str(certificate[0])))
    hooks.endpoint(f"https://{NAME}:{tls_receiver.port}/")
    hooks.tell()
    hooks.run()
    assert hooks.one()["state"] == "delivered"
    assert tls_receiver.got[0][0]["host"] == f"{NAME}:{tls_receiver.port}"
    hooks.endpoint(f"https://other.example.org:{tls_receiver.port}/")
    hooks.tell()
    hooks.run()
    assert len(tls_receiver.got) == 2
    error = next(one for one in hooks.log() if one["state"] == "pending")["attempts"][0]["error"]
    assert error.startswith("TLS: Hostname mismatch")


def test_a_certificate_of_nobody_is_refused(hooks: Hooks, tls_receiver: Receiver) -> None:
    hooks.endpoint(f"https://{NAME}:{tls_receiver.port}/")
    hooks.tell()
    hooks.run()
    assert "certificate" in hooks.one()["attempts"][0]["error"]
    assert tls_receiver.got == []
