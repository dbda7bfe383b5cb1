"""A receiver on the developer's machine (`make receive`): shows each delivery and judges its signature."""

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import click

from .webhooks.verifying import Verdict, verify

MAX_BODY = 1024 * 1024
SecretSource = Callable[[], list[str]]


def serve(port: int, secrets: SecretSource, status: int, delay: float) -> None:
    """Answer every POST on loopback with `status` after `delay` seconds, until interrupted. Port 0 takes a free one."""

    class Handler(Receiver):
        pass

    Handler.secrets, Handler.status, Handler.delay = staticmethod(secrets), status, delay
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    click.echo(f"Listening on http://127.0.0.1:{server.server_port}/ and answering {status}. Ctrl-C stops.", nl=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo()
    finally:
        server.server_close()


class Receiver(BaseHTTPRequestHandler):
    """One request: read, show, judge, answer."""

    secrets: SecretSource
    status: int
    delay: float
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Show the delivery and answer as told."""
        body = self.rfile.read(min(int(self.headers.get("content-length") or 0), MAX_BODY))
        headers = {name.lower(): value for name, value in self.headers.items()}
        _show(headers, body, verify(headers, body, type(self).secrets()))
        time.sleep(self.delay)
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """What is worth saying is shown already."""


def _show(headers: dict[str, str], body: bytes, verdict: Verdict) -> None:
    click.secho(f"\n{headers.get('x-cloudcx-event', 'POST')}  {headers.get('webhook-id', '')}", bold=True)
    click.echo(f"  attempt {headers.get('x-cloudcx-attempt', '?')}, {headers.get('x-cloudcx-trigger', '?')}", nl=False)
    changed = headers.get("x-cloudcx-changed")
    click.echo(f", changed {changed}" if changed else "")
    if verdict is Verdict.VALID:
        click.secho("  signature valid", fg="green")
    else:
        click.secho(f"  signature {verdict}: {verdict.reason}", fg="red")
    for line in pretty(body).splitlines():
        click.echo(f"  {line}")


def pretty(body: bytes) -> str:
    """The body as indented JSON, or as it is; control characters can't reach the terminal."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        text = body.decode("utf-8", "replace")
    return "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)
