"""The application: routes, failures and what every request goes through."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from service.bootstrap import rate_limiter
from service.gate import Gate
from service.problems import answer_failures
from service.request_scope import RequestScope
from service.routes import ADMIN_ROUTERS, ROUTERS
from service.routes.json_route import problems
from service.versions import Versions, VersionScope


def create_app(versions: Versions) -> FastAPI:
    """The application over these versions: starts them when it starts, closes them when it stops."""
    settings, telemetry = versions.settings, versions.current.telemetry
    keys, limiter = settings.keys(), rate_limiter(settings, telemetry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        versions.start()
        yield
        await versions.close()
        if limiter is not None:
            await limiter.close()

    app = FastAPI(
        title="beat-serve",
        description="Recommendations, and why: behaviour tokens injected into a frozen language model.",
        lifespan=lifespan,
        docs_url=None,  # ours has a content security policy
        redoc_url=None,
        responses=problems({500: "Our mistake; the log has more under the request id."}),
    )
    app.state.versions = versions
    for router in (*ROUTERS, *(ADMIN_ROUTERS if keys.guard("admin") else ())):
        app.include_router(router)
    answer_failures(app)
    app.add_middleware(VersionScope, versions=versions)  # what is added later is asked earlier
    if settings.api_keys:
        app.add_middleware(Gate, keys=keys, limiter=limiter, telemetry=telemetry)
    app.add_middleware(RequestScope, telemetry=telemetry)
    return app
