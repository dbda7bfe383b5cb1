"""The CloudCX contacts and webhooks portal. `create_app` is the only place where everything meets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from whitenoise import WhiteNoise

from . import audit_log, cli, config, health, jobs, metrics, overview, web
from .accounts import account_views as account
from .accounts import cookies, proof_views, security_views
from .accounts import views as accounts
from .accounts import workspace_views as workspaces
from .contacts import contact_views as contacts
from .contacts import definition_views as definitions
from .contacts import payload, present
from .docs import views as docs
from .extensions import csrf, db, limiter, login, migrate
from .people import views as people
from .privacy import views as privacy
from .sandbox import views as sandbox
from .webhooks import alarms, delivery, publisher, samples, trying
from .webhooks import bulk_views as bulk
from .webhooks import present as contacts_of_webhooks

ROOT = Path(__file__).parent.parent


def create_app(settings: Mapping[str, Any] | None = None) -> Flask:
    """The WSGI application, configured from the environment; `settings` go before it.

    Raises config.ConfigError (the process ends with one clear line) when the environment is unsafe for production.
    """
    app = Flask(__name__, root_path=str(ROOT))
    app.config.update(config.load())
    app.config.update(settings or {})
    app.config["DATA"].mkdir(parents=True, exist_ok=True)
    app.config.setdefault("RATELIMIT_STORAGE_URI", jobs.limiter_storage(app.config["REDIS_URL"]))
    app.config.setdefault("RATELIMIT_STORAGE_OPTIONS", jobs.WEB_CONNECTION)
    for extension in (db, csrf, login, limiter):
        extension.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "portal" / "migrations"))
    app.session_interface = cookies.Cookies()
    web.init_app(app)
    jobs.init_app(app)
    publisher.init_app(app)
    samples.init_app(app, lambda: payload.sample() | alarms.sample_bodies())
    contacts_of_webhooks.init_app(app, present.SOURCE)
    features = (overview, accounts, contacts, definitions, trying, delivery, bulk, sandbox, docs, health, metrics)
    for feature in (*features, account, proof_views, security_views, audit_log, privacy, workspaces, people):
        app.register_blueprint(feature.blueprint)
    cli.init_app(app)
    _serve(app)
    return app


def _serve(app: Flask) -> None:
    """Static files, compressed and cached for an hour; the client's address as told by the proxies in front."""
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=str(ROOT / "static"),
        prefix="static/",
        max_age=3600,
        allow_all_origins=False,
        add_headers_function=_never_guess,
    )
    if hops := app.config["PROXIES"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def _never_guess(headers: Any, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
