"""The application: routes, failures and what every request goes through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from service.abandoned_lookups import overlook_abandoned_lookups
from service.gate import Gate
from service.openapi import Api
from service.problems import answer_failures
from service.request_scope import RequestScope
from service.routes import ROUTERS
from service.routes.short_way import ShortWay
from service.shared_parts import make_tracing, rate_limiter
from service.versions import Versions, VersionScope


def create_app(versions: Versions) -> FastAPI:
    """The application over these versions: starts them when it starts, closes them when it stops. SettingsError."""
    settings, telemetry = versions.settings, versions.current.telemetry
    keys, limiter, tracing = settings.keys(), rate_limiter(settings, telemetry), make_tracing(settings, telemetry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        overlook_abandoned_lookups(asyncio.get_running_loop())
        versions.start()
        yield
        await versions.close()
        if limiter is not None:
            await limiter.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    app = Api(admin=keys.guard("admin"), lifespan=lifespan)
    app.state.versions = versions
    answer_failures(app)
    app.add_middleware(ShortWay, routes=[route for router in ROUTERS for route in router.routes])
    app.add_middleware(VersionScope, versions=versions)  # what is added later is asked earlier
    if settings.api_keys:
        app.add_middleware(Gate, keys=keys, limiter=limiter, telemetry=telemetry)
    if tracing is not None:
        app.add_middleware(tracing.scope)
    app.add_middleware(RequestScope, telemetry=telemetry)
    return app
