"""The application: routes, failures and what every request goes through."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from service.bootstrap import Components
from service.problems import answer_failures
from service.request_scope import RequestScope
from service.routes import ROUTERS
from service.routes.json_route import problems


def create_app(components: Components) -> FastAPI:
    """The application over these parts: starts them when it starts, closes them when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        components.start()
        yield
        await components.close()

    app = FastAPI(
        title="beat-serve",
        description="Recommendations, and why: behaviour tokens injected into a frozen language model.",
        lifespan=lifespan,
        responses=problems({500: "Our mistake; the log has more under the request id."}),
    )
    app.state.components = components
    for router in ROUTERS:
        app.include_router(router)
    answer_failures(app)
    app.add_middleware(RequestScope, telemetry=components.telemetry)
    return app
