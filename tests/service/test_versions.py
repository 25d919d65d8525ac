"""Another version takes the place of the served one, and no client notices."""

import asyncio
import shutil
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store import LanguageModelSpec, ModelStore
from model_store.tensor_file import load_tensors, save_tensors
from service.errors import LanguageModelUnavailable, NothingToRollBackTo, VersionRefused
from service.explanation import Question, Sampling
from service.settings import Settings
from service.versions import Versions
from tests.artifacts import CHAT, ITEM_IDS, USER_IDS, tiny_artifact, unseen_rows
from tests.fakes import FakeLanguageModel
from tests.service.conftest import RunningApp, running

RECOMMEND = {"user_id": USER_IDS[0], "k": 2}
EXPLAIN = {"user_id": USER_IDS[0], "item_id": ITEM_IDS[unseen_rows(0)[0]]}
SWAPS = 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def _settings(root: Path, **changes: object) -> Settings:
    return replace(Settings(store=root, latest_check_interval_s=0), **changes)  # type: ignore[arg-type]


def _versions(root: Path, count: int) -> list[str]:
    """So many versions of the same content under different names; the last is `latest`."""
    return [tiny_artifact(root, dataset=f"set{number}") for number in range(count)]


def _other_language_model(root: Path) -> LanguageModelSpec:
    """The tiny LLM with other weights, added to the store."""
    folder = root.with_name("other-llm")
    shutil.copytree(root.with_name(f"{root.name}-downloaded-llm"), folder)
    weights = {name: np.asarray(tensor) * 1.5 for name, tensor in load_tensors(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    save_tensors(folder / "model.safetensors", weights, {"format": "pt"})
    spec = LanguageModelSpec.of_folder(folder, name="other-llama", chat=CHAT)
    ModelStore(root).add_language_model(folder, spec)
    return spec


def _spoil(root: Path, version: str) -> None:
    """Change a byte in the middle of one of its files, as a broken disk would."""
    file = root / version / "embeddings.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


async def _version_of(service: RunningApp) -> str:
    return str((await service.client.post("/recommend", json=RECOMMEND)).json()["model_version"])


async def test_twenty_swaps_under_load_fail_no_request(root):
    """Every answer is 200, comes from one of the versions, and after a swap from the new one; old ones are freed."""
    versions = _versions(root, 3)
    statuses: list[int] = []
    seen: set[str] = set()
    old: list[weakref.ref[object]] = []
    stop = asyncio.Event()
    async with running(_settings(root)) as service:

        async def ask(path: str, body: dict[str, object]) -> None:
            while not stop.is_set():
                await asyncio.sleep(0.002)
                answer = await service.client.post(path, json=body)
                statuses.append(answer.status_code)
                seen.add(answer.json()["model_version"])

        asking = [asyncio.create_task(ask("/recommend", RECOMMEND)) for _ in range(4)]
        asking += [asyncio.create_task(ask("/explain", EXPLAIN)) for _ in range(4)]
        for number in range(SWAPS):
            before = service.versions.current.artifact.version
            old.append(weakref.ref(service.versions.current.artifact))
            swap = await service.versions.swap_to(versions[number % 3])
            assert (swap.version, swap.previous) == (versions[number % 3], before)
            assert await _version_of(service) == versions[number % 3]
        stop.set()
        await asyncio.gather(*asking)
        await asyncio.sleep(0)
        assert [reference() for reference in old] == [None] * SWAPS
        assert service.metric("beat_artifact_loads_total", outcome="ok") == SWAPS
        closed_early = service.model.closed
    assert (closed_early, service.model.closed) == (False, True)
    assert set(statuses) == {200}
    assert len(statuses) > 10 * SWAPS
    assert seen == set(versions)


class PausedLanguageModel(FakeLanguageModel):
    """Writes when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def generate(self, *prompt, **options):
        self.asked.set()
        await self.go_on.wait()
        return await super().generate(*prompt, **options)


async def test_a_request_under_way_finishes_on_the_version_it_began_with(root):
    """The old version, with its own language model, is closed after its last request and not before."""
    (old,) = _versions(root, 1)
    paused, other = PausedLanguageModel(), FakeLanguageModel()
    made = iter([paused, other])
    versions = Versions(_settings(root), lambda: next(made))
    versions.start()
    engine = versions.current.engine
    assert engine is not None
    await _until(lambda: engine.part.state == "ok")
    with versions.lease() as leased:
        question = Question((ITEM_IDS[0],), Sampling(max_tokens=8), deadline_s=60, user_id=USER_IDS[0])
        asking = asyncio.create_task(leased.explainer.explain(await leased.explainer.prepare(question)))
        await paused.asked.wait()
        new = tiny_artifact(root, language_model=_other_language_model(root))
        await versions.swap_to("latest")
        assert versions.current.artifact.version == new
        closed_early = paused.closed
        paused.go_on.set()
        (explanation,) = await asking
        assert (explanation.model_version, explanation.source) == (old, "llm")
    await _until(lambda: paused.closed)
    other_closed_early = other.closed
    await versions.close()
    assert (closed_early, other_closed_early, other.closed) == (False, False, True)


async def test_a_spoilt_version_is_refused_and_the_old_one_goes_on(root):
    """A changed byte is found by its checksum; a version that is not there is refused too."""
    served, spoilt = _versions(root, 2)
    _spoil(root, spoilt)
    async with running(_settings(root, version=served)) as service:
        for version in (spoilt, "nowhere"):
            with pytest.raises(VersionRefused) as refusal:
                await service.versions.swap_to(version)
            assert refusal.value.version == version
        assert await _version_of(service) == served
        assert service.metric("beat_artifact_loads_total", outcome="error") == 2
        assert (await service.client.post("/explain", json=EXPLAIN)).status_code == 200


async def test_a_version_whose_language_model_does_not_answer_is_refused(root):
    """The old version and its language model go on; the new one's is closed."""
    (served,) = _versions(root, 1)
    good, bad = FakeLanguageModel(), FakeLanguageModel()
    bad.fault = LanguageModelUnavailable("it writes nonsense")
    made = iter([good, bad])
    versions = Versions(_settings(root), lambda: next(made))
    versions.start()
    tiny_artifact(root, language_model=_other_language_model(root))
    with pytest.raises(VersionRefused, match="it writes nonsense"):
        await versions.swap_to("latest")
    assert versions.current.artifact.version == served
    assert (good.closed, bad.closed) == (False, True)
    await versions.close()


async def test_a_version_with_the_same_language_model_is_taken_while_that_is_down(root):
    """What is wrong with the shared language model is not the new version's fault."""
    first, second = _versions(root, 2)
    async with running(_settings(root, version=first)) as service:
        service.model.fault = LanguageModelUnavailable("it is gone")
        assert (await service.versions.swap_to(second)).version == second
        assert await _version_of(service) == second


async def test_rolling_back_serves_what_was_served_before(root):
    """Once back, once more forth; and never to a version that was not served."""
    first, second = _versions(root, 2)
    async with running(_settings(root, version=first)) as service:
        with pytest.raises(NothingToRollBackTo):
            await service.versions.roll_back()
        await service.versions.swap_to(second)
        assert (await service.versions.roll_back()).version == first
        assert await _version_of(service) == first
        assert (await service.versions.roll_back()).version == second


async def test_what_is_served_already_is_not_loaded_again(root):
    """The parts stay the same objects."""
    (version,) = _versions(root, 1)
    async with running(_settings(root)) as service:
        before = service.versions.current
        swap = await service.versions.swap_to("latest")
        assert (swap.version, swap.previous) == (version, version)
        assert service.versions.current is before


async def test_a_newly_published_version_is_served_by_itself(root):
    """`latest` is looked at; a refused one is left alone; a rollback is not undone."""
    (first,) = _versions(root, 1)
    async with running(_settings(root, latest_check_interval_s=0.02)) as service:
        second = tiny_artifact(root, dataset="newer")
        await _until(lambda: service.versions.current.artifact.version == second)
        await service.versions.roll_back()
        await asyncio.sleep(0.1)
        assert await _version_of(service) == first
        spoilt = tiny_artifact(root, dataset="newest")
        _spoil(root, spoilt)
        await _until(lambda: service.metric("beat_artifact_loads_total", outcome="error") == 1)
        await asyncio.sleep(0.1)
        assert service.metric("beat_artifact_loads_total", outcome="error") == 1
        assert await _version_of(service) == first


async def test_a_version_that_was_asked_for_by_name_is_kept(root):
    """A newly published one changes nothing."""
    (first,) = _versions(root, 1)
    async with running(_settings(root, version=first, latest_check_interval_s=0.02)) as service:
        tiny_artifact(root, dataset="newer")
        await asyncio.sleep(0.1)
        assert await _version_of(service) == first


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.005)
