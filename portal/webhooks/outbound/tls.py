"""TLS: one context for the process, and the names of what goes wrong while shaking hands."""

import ssl
from functools import cache
from ssl import SSLCertVerificationError, SSLContext

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from .result import Failed, Failure

# OpenSSL's X509_V_ERR_*: CERT_NOT_YET_VALID, CERT_HAS_EXPIRED; HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH
_OUT_OF_DATE = (9, 10)
_WRONG_NAME = (62, 64)


@cache
def context() -> SSLContext:
    """The context of every connection: certificates checked against the public authorities and against the name.

    Made once, because loading the authorities takes some 10 ms, and then never changed, which urllib3 would do at
    every handshake while other threads use it. Made by hand, because `create_default_context` obeys SSLKEYLOGFILE.
    """
    made = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False
    made.set_alpn_protocols(["http/1.1"])
    made.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return made


def failed(error: ssl.SSLError) -> Failed:
    """The name of a failed handshake."""
    if not isinstance(error, SSLCertVerificationError):
        return Failed(Failure.TLS_FAILED, error.reason or "")
    if error.verify_code in _OUT_OF_DATE:
        return Failed(Failure.TLS_EXPIRED, error.verify_message)
    if error.verify_code in _WRONG_NAME:
        return Failed(Failure.TLS_WRONG_NAME, error.verify_message)
    return Failed(Failure.TLS_INVALID, error.verify_message)
