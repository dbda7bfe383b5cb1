"""The only place that contacts addresses which users give: `send(...)` takes one message and returns one Result.

It reaches only what it may reach, gives its thread back in time, and says precisely what happened. A library on its
own: it imports nothing else of the portal.
"""

from .addresses import Networks
from .advice import Explanation, explain
from .client import send
from .connections import Connections
from .exchange import Limits
from .headers import HeadersRefused, check_headers, parse_headers
from .result import RETRY_AFTER_LIMIT, Failure, Phases, Result
from .urls import UrlRefused, check_url

__all__ = [
    "RETRY_AFTER_LIMIT",
    "Connections",
    "Explanation",
    "Failure",
    "HeadersRefused",
    "Limits",
    "Networks",
    "Phases",
    "Result",
    "UrlRefused",
    "check_headers",
    "check_url",
    "explain",
    "parse_headers",
    "send",
]
