"""Failures in plain English, for a person without technical background. Nothing here tells what an address answers."""

from dataclasses import dataclass
from http import HTTPStatus

from .result import Failure


@dataclass(frozen=True, slots=True)
class Explanation:
    """One short title, and one or two sentences: what happened, and what to do."""

    title: str
    advice: str


_FAILURES = {
    Failure.URL_REFUSED: Explanation(
        "URL not accepted",
        "This URL cannot be used for deliveries. Edit the webhook and give a public http:// or https:// URL.",
    ),
    Failure.HEADERS_REFUSED: Explanation(
        "Custom headers not accepted",
        "One of the custom headers cannot be sent. Edit the webhook and correct or remove it.",
    ),
    Failure.BLOCKED_ADDRESS: Explanation(
        "Address not allowed",
        "The URL leads to an address that deliveries may not reach, such as one inside a private network."
        " Use a URL that is reachable from the public internet.",
    ),
    Failure.DNS_FAILED: Explanation(
        "Host name not found",
        "No server is known under the host name in the URL. Check the URL for typing mistakes,"
        " or ask whoever manages the domain to add the name to its DNS.",
    ),
    Failure.DNS_TIMEOUT: Explanation(
        "Host name lookup timed out",
        "The name servers of the host in the URL did not answer in time."
        " Ask whoever manages the domain to check its DNS.",
    ),
    Failure.REFUSED: Explanation(
        "Connection refused",
        "The server is there, but nothing accepts connections on this port."
        " Check that your service is running and that the port in the URL is right.",
    ),
    Failure.UNREACHABLE: Explanation(
        "Server unreachable",
        "No route leads to the server. Check that it is online and that its DNS entry shows its current address.",
    ),
    Failure.TIMEOUT_CONNECT: Explanation(
        "No connection in time",
        "The server did not accept a connection in time."
        " Check that it is running and that no firewall keeps out visitors from the internet.",
    ),
    Failure.TLS_EXPIRED: Explanation(
        "Certificate expired",
        "The server's certificate is not valid at today's date. Renew it on the server; nothing needs changing here.",
    ),
    Failure.TLS_WRONG_NAME: Explanation(
        "Certificate for another name",
        "The server's certificate was issued for another name than the host in the URL."
        " Use the name on the certificate, or install one for this name.",
    ),
    Failure.TLS_INVALID: Explanation(
        "Certificate not trusted",
        "The server's certificate does not come from a publicly trusted issuer, or part of its chain is missing."
        " Install a trusted certificate together with its intermediate certificates.",
    ),
    Failure.TLS_FAILED: Explanation(
        "No secure connection",
        "The server and the portal could not agree on a secure connection."
        " Check that this port speaks https with TLS 1.2 or newer; for a plain server the URL begins with http://.",
    ),
    Failure.TIMEOUT_TOTAL: Explanation(
        "No answer in 15 s",
        "The server took the connection but did not finish its answer in time."
        " Answer with a 2xx at once and do the work afterwards.",
    ),
    Failure.RESET: Explanation(
        "Connection broken off",
        "The server closed the connection without an answer."
        " Look in its log for a crash or restart, and in any proxy before it for a limit.",
    ),
    Failure.CUT_SHORT: Explanation(
        "Answer cut short",
        "The connection ended in the middle of the answer, so it is not known whether the message was taken."
        " Look for a crash on the server or a wrong Content-Length header.",
    ),
    Failure.BAD_ANSWER: Explanation(
        "Answer not understood",
        "What came back is not a proper HTTP answer, or its headers are too large."
        " Check that the URL leads to a web server and not to another kind of service.",
    ),
    Failure.REDIRECT: Explanation(
        "Redirected",
        "The server points to another address. Redirects are not followed, for safety:"
        " edit the webhook and give the final URL.",
    ),
    Failure.GONE: Explanation(
        "410 Gone",
        "The server says that this address is no longer in use, so nothing more is sent there."
        " Correct the URL and resume the webhook, or delete it.",
    ),
    Failure.HTTP_ERROR: Explanation(
        "Not accepted",
        "The server answered, but not with a success (2xx). Look in its log for the reason.",
    ),
    Failure.INTERNAL: Explanation(
        "Could not be sent",
        "The portal had a problem of its own; nothing is wrong with your server. If it stays, tell the operator.",
    ),
}

_STATUSES = {
    400: "The server found the message malformed. Check that it expects JSON in the shape shown in the documentation.",
    401: "The server asks for a sign-in. Add the credentials it expects as a custom header of the webhook.",
    403: "The server does not let the message in. Check its access rules, or the credentials in the custom headers.",
    404: "The server has nothing at this address. Check the path of the URL.",
    405: "This address does not take POST requests. Check the path of the URL, or let your service accept POST there.",
    408: "The server gave up waiting for the message. Check the load on the server and on any proxy before it.",
    413: "The server finds the message too large. Raise the limit for request bodies on the server.",
    415: "The server does not take JSON. Let it accept the content type application/json.",
    429: "The server asks for fewer messages. They are sent more slowly; raise its limit if they pile up.",
}
_CLIENT_ERROR = "The server rejected the message. Look in its log for the reason."
_SERVER_ERROR = "The server had a problem of its own. Look in its log; nothing needs changing here."


def explain(failure: Failure | str, status: int | None = None) -> Explanation:
    """What to show for a failure (or its stored value); `status` is the HTTP status of the answer, if there was one.

    Raises ValueError for a name that is not a Failure.
    """
    failure = Failure(failure)
    if status is None or failure not in (Failure.HTTP_ERROR, Failure.REDIRECT):
        return _FAILURES[failure]
    return Explanation(_title(status), _advice(failure, status))


def _title(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} answered"


def _advice(failure: Failure, status: int) -> str:
    if status in _STATUSES:
        return _STATUSES[status]
    if 400 <= status < 500:
        return _CLIENT_ERROR
    return _SERVER_ERROR if 500 <= status < 600 else _FAILURES[failure].advice
