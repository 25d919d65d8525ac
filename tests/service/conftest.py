"""A running application over the checkerboard artifact, with a fake language model."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from service.app import create_app
from service.bootstrap import Components
from service.interfaces import LanguageModel
from service.settings import Settings
from service.versions import Versions
from tests.artifacts import tiny_artifact
from tests.fakes import FakeLanguageModel
from tests.live_server import live


@dataclass(frozen=True)
class RunningApp:
    """The application's versions, its language model and a client that speaks to it without a network."""

    versions: Versions
    model: FakeLanguageModel
    client: httpx.AsyncClient

    @property
    def components(self) -> Components:
        """The parts of the current version."""
        return self.versions.current

    def metric(self, name: str, **labels: str) -> float:
        """A sample's value, 0 when there is none."""
        return self.components.telemetry.registry.get_sample_value(name, labels) or 0.0

    async def until_explaining(self) -> None:
        """Return once the language model answers."""
        async with asyncio.timeout(5):
            while self.components.engine is not None and self.components.engine.part.state != "ok":
                await asyncio.sleep(0.005)


StartApp = Callable[..., Awaitable[RunningApp]]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with the checkerboard as its latest version."""
    root = tmp_path_factory.mktemp("checkerboard") / "store"
    tiny_artifact(root)
    return root


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RunningApp]:
    """The application between its start and its stop."""
    model = FakeLanguageModel()
    versions = Versions(settings, None if settings.llm == "none" else lambda: model)
    app = create_app(versions)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://svc") as client,
    ):
        started = RunningApp(versions, model, client)
        await started.until_explaining()
        yield started


@asynccontextmanager
async def listening(
    settings: Settings, make_language_model: Callable[[], LanguageModel] | None = None, *, patience_s: float = 10
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application behind a real socket, once its language model has said how it is."""
    versions = Versions(settings, make_language_model)
    async with live(create_app(versions)) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        async with asyncio.timeout(patience_s):
            while versions.current.engine is not None and versions.current.engine.part.state == "starting":
                await asyncio.sleep(0.005)
        yield client


@pytest.fixture
async def service(store: Path) -> AsyncIterator[RunningApp]:
    """The application with everything in memory."""
    async with running(Settings(store=store, llm_check_interval_s=60)) as started:
        yield started
