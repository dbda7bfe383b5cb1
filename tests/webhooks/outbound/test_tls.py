"""TLS: the certificate is checked against the name in the URL, while the connection goes to the checked address."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.webhooks.outbound import Connections, Failure, Limits, send, tls
from tests.webhooks.outbound.conftest import HASTY, LOOPBACK, PATIENT, SOON_MS, Network, Receiver, Start, Visit

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DAY = timedelta(days=1)
PUBLIC = "93.184.215.14"


@dataclass
class Authority:
    """A certificate authority of the tests' own."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def context(
        self, name: str, begins: timedelta = -DAY, ends: timedelta = DAY, *, signed: bool = True
    ) -> ssl.SSLContext:
        """A server context with a certificate for `name`, valid from `begins` to `ends` as seen from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        san = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
        issuer, signer = (self.certificate.subject, self.key) if signed else (subject, key)
        certificate = (
            _builder(subject, issuer, key, begins, ends)
            .add_extension(x509.SubjectAlternativeName([san]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        path = self.folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _builder(subject, issuer, key, begins: timedelta, ends: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    certificate = (
        _builder(name, name, key, -30 * DAY, 30 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(tmp_path_factory.mktemp("certificates"), key, certificate)


@pytest.fixture(autouse=True)
def _trust(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context as it is in production, and one authority more."""
    context = tls.context.__wrapped__()
    context.load_verify_locations(cadata=authority.certificate.public_bytes(serialization.Encoding.PEM).decode())
    monkeypatch.setattr(tls, "context", lambda: context)


def keep_answering(visit: Visit) -> None:
    while visit.request():
        visit.sock.sendall(OK)


def to(network: Network, receiver: Receiver, limits: Limits = PATIENT, pool: Connections | None = None):
    network.resolve("hooks.example", [PUBLIC])
    network.leads_to = receiver
    return send("https://hooks.example/", {}, b"{}", limits=limits, pool=pool)


def test_a_certificate_for_the_name_is_accepted_at_the_address(
    authority: Authority, network: Network, start: Start
) -> None:
    context = authority.context("hooks.example")
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    receiver = start(keep_answering, context)
    result = to(network, receiver)
    assert (result.ok, result.body, result.remote) == (True, b"ok", f"{PUBLIC}:443")
    assert names == ["hooks.example"]
    assert b"\r\nHost: hooks.example\r\n" in receiver.requests[0]
    assert result.phases.tls is not None


def test_a_certificate_for_an_address_is_accepted_there(authority: Authority, start: Start) -> None:
    receiver = start(keep_answering, authority.context("127.0.0.1"))
    assert send(receiver.url, {}, b"{}", allowed=LOOPBACK, limits=PATIENT).ok


def test_a_handshake_serves_many_messages(authority: Authority, network: Network, start: Start) -> None:
    receiver = start(keep_answering, authority.context("hooks.example"))
    with Connections() as pool:
        results = [to(network, receiver, pool=pool) for _ in range(3)]
    assert all(result.ok for result in results)
    assert results[2].phases.tls is None
    assert receiver.visits == 1


@pytest.mark.parametrize(
    ("name", "begins", "ends", "signed", "failure"),
    [
        ("hooks.example", -2 * DAY, -DAY, True, Failure.TLS_EXPIRED),
        ("hooks.example", DAY, 2 * DAY, True, Failure.TLS_EXPIRED),
        ("other.example", -DAY, DAY, True, Failure.TLS_WRONG_NAME),
        (PUBLIC, -DAY, DAY, True, Failure.TLS_WRONG_NAME),
        ("hooks.example", -DAY, DAY, False, Failure.TLS_INVALID),
    ],
)
def test_a_bad_certificate_is_named_and_nothing_is_sent(
    authority: Authority, network: Network, start: Start, name: str, begins, ends, signed: bool, failure: Failure
) -> None:
    receiver = start(keep_answering, authority.context(name, begins, ends, signed=signed))
    result = to(network, receiver)
    assert result.failure is failure
    assert result.reason
    assert result.status is None
    assert not receiver.requests


def test_an_address_needs_a_certificate_for_the_address(authority: Authority, start: Start) -> None:
    receiver = start(keep_answering, authority.context("hooks.example"))
    assert send(receiver.url, {}, b"", allowed=LOOPBACK, limits=PATIENT).failure is Failure.TLS_WRONG_NAME


def test_an_authority_that_nobody_knows_is_not_trusted(
    authority: Authority, network: Network, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    receiver = start(keep_answering, authority.context("127.0.0.1"))
    assert send(receiver.url, {}, b"", allowed=LOOPBACK, limits=PATIENT).failure is Failure.TLS_INVALID


def test_a_plain_server_on_a_tls_port_is_named(network: Network, start: Start) -> None:
    receiver = start(lambda visit: visit.sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
    assert to(network, receiver).failure is Failure.TLS_FAILED


def test_tls_older_than_1_2_is_not_spoken(authority: Authority, network: Network, start: Start) -> None:
    context = authority.context("hooks.example")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert to(network, start(keep_answering, context)).failure is Failure.TLS_FAILED


def test_the_environment_can_neither_add_authorities_nor_have_keys_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing"))
    monkeypatch.undo()
    context = tls.context.__wrapped__()
    assert context.keylog_filename is None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "script",
    [
        lambda visit: visit.hold(),
        lambda visit: (visit.sock.sendall(b"\x16\x03\x03\x40\x00"), visit.drip(b"\x00")),
    ],
    ids=["silence", "a byte now and then"],
)
def test_a_handshake_that_never_ends_is_ended_at_the_deadline(network: Network, start: Start, script) -> None:
    receiver = start(script)
    result = to(network, receiver, HASTY)
    assert result.failure is Failure.TIMEOUT_TOTAL
    assert result.duration_ms < SOON_MS
    assert receiver.ended.acquire(timeout=60)


def test_a_silent_server_after_the_handshake_is_ended_at_the_deadline(
    authority: Authority, network: Network, start: Start
) -> None:
    def drip(visit: Visit) -> None:
        visit.answer(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        visit.drip(b"a")

    receiver = start(drip, authority.context("hooks.example"))
    result = to(network, receiver, Limits(total=2))
    assert result.failure is Failure.TIMEOUT_TOTAL
    assert result.status is None
    assert receiver.ended.acquire(timeout=60)
