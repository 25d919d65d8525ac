"""The application's routes and the document that describes them, apart from what answers behind them."""

from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import FastAPI

from service.gate import is_open
from service.routes import ADMIN_ROUTERS, ROUTERS, docs, health
from service.routes.json_route import problems

_SCHEME: Final = "key"
_GUARDED: Final = problems(
    {
        401: "API keys are set, and none that is known was sent.",
        403: "The API key that was sent is not for this.",
        429: "The API key has asked more often than it may, or the service has too much to do; see Retry-After.",
    }
)


class Api(FastAPI):
    """The routes, with keys and examples in their document; `admin` routes are there only where they can be asked."""

    def __init__(self, *, admin: bool, lifespan: Callable[[FastAPI], Any] | None = None) -> None:
        super().__init__(
            title="beat-serve",
            description="Recommendations, and why: behaviour tokens injected into a frozen language model.",
            version=version("beat-serve"),
            lifespan=lifespan,
            docs_url=None,  # ours has a content security policy
            redoc_url=None,
            responses=problems({500: "Our mistake; the log has more under the request id."}),
        )
        for router in (*ROUTERS, *(ADMIN_ROUTERS if admin else ())):
            self.include_router(router, responses={} if router in (health.router, docs.router) else _GUARDED)

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["components"]["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    _add_key(operation, path)
                    _add_example(operation, f"{method.upper()} {path}")
        assert self.openapi_schema is not None
        return self.openapi_schema


def document_bytes() -> bytes:
    """The whole document, admin routes included, as it is kept in docs/openapi.json."""
    return orjson.dumps(Api(admin=True).openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def examples() -> dict[str, dict[str, Any]]:
    """By "METHOD /path": `request` or `parameters`, and the `response`; a test asks all of them."""
    found: dict[str, dict[str, Any]] = orjson.loads(files("service").joinpath("openapi_examples.json").read_bytes())
    return found


def _add_key(operation: dict[str, Any], path: str) -> None:
    if path.startswith("/admin/"):
        operation["security"] = [{_SCHEME: []}]
    elif not is_open(path):
        operation["security"] = [{}, {_SCHEME: []}]  # needed only where keys are set


def _add_example(operation: dict[str, Any], name: str) -> None:
    example = examples().get(name, {})
    if "request" in example:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example.get("parameters", {}):
            parameter["example"] = example["parameters"][parameter["name"]]
    if "response" in example:
        operation["responses"]["200"]["content"]["application/json"]["example"] = example["response"]
