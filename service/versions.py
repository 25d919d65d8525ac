"""The model version that is served, and how another one takes its place without a failed request."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from starlette.types import ASGIApp, Receive, Scope, Send

from model_store.errors import ModelStoreError
from model_store.store import LATEST, ModelStore
from service.bootstrap import Components, build_components
from service.errors import NothingToRollBackTo, ServiceError, VersionRefused
from service.interfaces import LanguageModel
from service.settings import Settings
from service.version_check import check_version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Swap:
    """One version asked for, now served; `previous` is what was served before, which may be the same."""

    version: str
    previous: str
    seconds: float


class _Serving:
    """A version, and the requests that it answers now."""

    def __init__(self, components: Components) -> None:
        self.components = components
        self.requests = 0


class Versions:
    """One current version. Another is loaded and checked beside it, then takes its place by one reference.

    Requests keep the version they began with; the last of them to end closes a version that is no longer current.
    """

    def __init__(self, settings: Settings, make_language_model: Callable[[], LanguageModel] | None = None) -> None:
        """Load the first version; raises ModelStoreError. `make_language_model` is for `build_components`."""
        self.settings = settings
        self._store = ModelStore(settings.store)
        self._make_language_model = make_language_model
        self._serving = _Serving(build_components(settings, make_language_model))
        self._telemetry = self.current.telemetry
        self._telemetry.set_artifact(self.current.artifact.manifest)
        self._latest = self._previous = self.current.artifact.version
        self._in_use = {self._serving}
        self._one_at_a_time = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> Components:
        """The version that new requests are answered from."""
        return self._serving.components

    @contextmanager
    def lease(self) -> Iterator[Components]:
        """The current version, which stays open until the block ends."""
        serving = self._serving
        serving.requests += 1
        try:
            yield serving.components
        finally:
            serving.requests -= 1
            self._retire(serving)

    def start(self) -> None:
        """Begin to load the language model and to watch `latest`; returns at once. To be called in the event loop."""
        self.current.start()
        if self.settings.version == LATEST and self.settings.latest_check_interval_s:
            self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop watching and give back what every version holds."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait({self._watcher})
        await asyncio.gather(*self._closing)
        for serving in self._in_use - {self._serving}:
            await serving.components.close(with_engine=serving.components.engine is not self.current.engine)
        await self.current.close()
        await self.current.feedback.close()  # one for all versions

    async def swap_to(self, version: str) -> Swap:
        """Serve this version, or what `latest` names. Raises VersionRefused: then the one that is served goes on."""
        async with self._one_at_a_time:
            return await self._swap_to(version)

    async def roll_back(self) -> Swap:
        """Serve what was served before the last swap. Raises NothingToRollBackTo, VersionRefused."""
        async with self._one_at_a_time:
            if self._previous == self.current.artifact.version:
                raise NothingToRollBackTo
            return await self._swap_to(self._previous)

    async def _swap_to(self, version: str) -> Swap:
        started, served = time.monotonic(), self.current
        try:
            name = (await asyncio.to_thread(self._store.manifest, version)).version
            if name == served.artifact.version:
                return Swap(name, name, 0.0)
            loaded = await self._load(name)
        except (ModelStoreError, OSError, ServiceError) as error:
            raise self._refused(version, str(error)) from error
        except Exception as error:
            log.exception("version %s could not be loaded", version)
            raise self._refused(version, "it could not be loaded; the log says why") from error
        self._take_over(loaded)
        return Swap(name, served.artifact.version, round(time.monotonic() - started, 3))

    async def _load(self, name: str) -> Components:
        """The version, loaded and checked beside the served one; closed again where it is found wanting."""
        settings = replace(self.settings, version=name)
        served = self.current
        loaded = await asyncio.to_thread(build_components, settings, self._make_language_model, served=served)
        own_engine = loaded.engine is not served.engine
        try:
            if own_engine:
                loaded.start()
            await check_version(loaded, own_engine=own_engine)
        except BaseException:
            await loaded.close(with_engine=own_engine)
            raise
        return loaded

    def _take_over(self, loaded: Components) -> None:
        before, self._serving = self._serving, _Serving(loaded)
        self._in_use.add(self._serving)
        self._previous = before.components.artifact.version
        self._telemetry.set_artifact(loaded.artifact.manifest)
        self._telemetry.count_load("ok")
        log.info("version %s takes the place of %s", loaded.artifact.version, self._previous)
        self._retire(before)

    def _refused(self, version: str, reason: str) -> VersionRefused:
        self._telemetry.count_load("error")
        log.warning("version %s is refused, %s goes on: %s", version, self.current.artifact.version, reason)
        return VersionRefused(version, reason)

    def _retire(self, serving: _Serving) -> None:
        """Close the version unless it is current, or still answers somebody."""
        if serving is self._serving or serving.requests:
            return
        self._in_use.discard(serving)
        engine = serving.components.engine
        shared = any(other.components.engine is engine for other in self._in_use)
        closing = asyncio.create_task(serving.components.close(with_engine=not shared))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _watch(self) -> None:
        """Follow `latest`. A version that was refused is not tried again until another one is published."""
        while True:
            await asyncio.sleep(self.settings.latest_check_interval_s)
            try:
                latest = await asyncio.to_thread(self._store.latest)
            except (ModelStoreError, OSError) as error:
                log.warning("the store does not tell its latest version: %s", error)
                continue
            if latest != self._latest:
                self._latest = latest
                with contextlib.suppress(VersionRefused):  # told in the log, counted in the metrics
                    await self.swap_to(latest)


class VersionScope:
    """Answers each request, a streamed one to its end, from the version that was current when it came.

    Plain ASGI, as RequestScope. Routes find it as `ComponentsDep`.
    """

    def __init__(self, app: ASGIApp, versions: Versions) -> None:
        self._app = app
        self._versions = versions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._versions.lease() as components:
            scope["components"] = components
            await self._app(scope, receive, send)
