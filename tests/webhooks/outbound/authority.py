"""A certificate authority of the tests' own."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
ITSELF = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])


class Authority:
    """It signs certificates, and keeps its own as the file `ca.pem` in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(ITSELF, ITSELF, self._key, -30 * DAY, 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def certificate(self, name: str, begins: timedelta = -DAY, ends: timedelta = DAY, *, signed: bool = True) -> Path:
        """A file with a key and a certificate for `name`, valid from `begins` to `ends` as seen from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        is_address = ":" in name or name.replace(".", "").isdigit()
        san = x509.IPAddress(ip_address(name)) if is_address else x509.DNSName(name)
        issuer, signer = (ITSELF, self._key) if signed else (SUBJECT, key)
        certificate = (
            _builder(SUBJECT, issuer, key, begins, ends)
            .add_extension(x509.SubjectAlternativeName([san]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self.folder / f"{certificate.serial_number}.pem"
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def context(
        self, name: str, begins: timedelta = -DAY, ends: timedelta = DAY, *, signed: bool = True
    ) -> ssl.SSLContext:
        """What a server with such a certificate shakes hands with."""
        return serving(self.certificate(name, begins, ends, signed=signed))


def serving(certificate: Path) -> ssl.SSLContext:
    """The context of a server that has this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: timedelta, ends: timedelta
) -> x509.CertificateBuilder:
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
