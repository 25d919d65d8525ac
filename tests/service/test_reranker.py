"""rerank: "llm" of POST /recommend: the order is the language model's, or that of before and told."""

import asyncio
from typing import Any

import numpy as np
import pytest

from model_store import PromptEncoder, TokenEmbeddings, embed_prompt
from model_store.embeddings import closest_items
from model_store.rerank_prompt import answer_ids, rerank_template
from model_store.types import BehaviorTokens
from service.adapters.transformers_model import TransformersModel
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS, unseen_rows
from tests.fakes import FakeLanguageModel
from tests.service.conftest import RunningApp, listening, running

BODY = {"user_id": USER_IDS[0], "rerank": "llm"}


async def _recommend(service: RunningApp, **body: Any) -> dict[str, Any]:
    answer = await service.client.post("/recommend", json={"user_id": USER_IDS[0], **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _ids(answer: dict[str, Any]) -> list[int]:
    return [item["item_id"] for item in answer["items"]]


def _likes_long_titles(service: RunningApp) -> None:
    """The model prefers long prompts: with one token a byte, titles with two digits."""
    service.model.likes = lambda prompt_embeds: float(len(prompt_embeds)) / 100


async def _until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_order_is_the_language_models(service):
    """All candidates are judged in one call; its scores fall, the others stay what they were."""
    _likes_long_titles(service)
    plain, reranked = await _recommend(service, k=8), await _recommend(service, k=8, rerank="llm")
    assert len(service.model.judged) == 8
    assert sorted(_ids(reranked)) == sorted(_ids(plain))
    llm_scores = [item["llm_score"] for item in reranked["items"]]
    assert llm_scores == sorted(llm_scores, reverse=True)
    assert len({*llm_scores}) > 1
    scores = [{item["item_id"]: item["score"] for item in answer["items"]} for answer in (plain, reranked)]
    assert scores[0] == scores[1]
    assert reranked["fallback"] is None
    assert all(item["llm_score"] is None for item in plain["items"])
    assert set(reranked["timings_ms"]) == {"tokens", "retrieval", "rerank", "total"}


async def test_the_prompts_are_those_that_training_judges_with(service):
    """Item and user as soft tokens, the item's title and text, and the user's titles closest to it."""
    answer = await _recommend(service, k=8)
    await _recommend(service, k=8, rerank="llm")
    artifact = service.components.artifact
    folder, history = artifact.language_model_path, artifact.histories.of(0)
    encoder, table = PromptEncoder.open(folder), TokenEmbeddings.open(folder)
    template = rerank_template(artifact.manifest.language_model.chat, num_soft=artifact.soft_tokens.num_soft)
    user = artifact.soft_tokens.of("user", BehaviorTokens.from_codes(artifact.user_codes[0]))
    for item_id, judged in zip(_ids(answer), service.model.judged, strict=True):
        row = artifact.catalog.ids.to_row(item_id)
        item, past = artifact.catalog.item(row), closest_items(artifact.embeddings, history, row, 3).rows
        titles = [artifact.catalog.item(int(past_row)).title for past_row in past]
        soft = artifact.soft_tokens.of("item", BehaviorTokens.from_codes(artifact.item_codes[row]))
        prompt = encoder.encode(template.render(title=item.title, text=item.about, history=titles))
        np.testing.assert_array_equal(judged, embed_prompt(prompt, table, {"user": user, "item": soft}))


async def test_fewer_items_than_were_judged_are_the_best_of_them(service):
    """k bounds what comes, not what is judged; pages go on."""
    _likes_long_titles(service)
    whole = await _recommend(service, k=8, rerank="llm")
    pages = [await _recommend(service, k=4, offset=offset, rerank="llm") for offset in (0, 4)]
    assert _ids(pages[0]) + _ids(pages[1]) == _ids(whole)


async def test_only_the_best_are_judged(store):
    """`rerank_items` bounds the prompts; who is not judged stands behind, as retrieved."""
    async with running(Settings(store=store, rerank_items=3)) as service:
        _likes_long_titles(service)
        plain, reranked = await _recommend(service, k=8), await _recommend(service, k=8, rerank="llm")
        assert len(service.model.judged) == 3
    assert sorted(_ids(reranked)[:3]) == sorted(_ids(plain)[:3])
    assert _ids(reranked)[3:] == _ids(plain)[3:]
    assert [item["llm_score"] is None for item in reranked["items"]] == [False] * 3 + [True] * 5


async def test_a_page_behind_the_judged_asks_nobody(store):
    """Its order does not depend on theirs."""
    async with running(Settings(store=store, rerank_items=3)) as service:
        plain = await _recommend(service, k=3, offset=3)
        reranked = await _recommend(service, k=3, offset=3, rerank="llm")
        assert service.model.judged == []
    assert (_ids(reranked), reranked["fallback"]) == (_ids(plain), None)


async def test_ties_keep_the_retrieved_order(service):
    """Also where only the arithmetic's rounding tells them apart."""
    calls = iter(range(100))
    service.model.likes = lambda prompt_embeds: -0.25 + 1e-7 * next(calls)
    assert _ids(await _recommend(service, k=8, rerank="llm")) == _ids(await _recommend(service, k=8))


async def test_diversity_builds_on_the_reranked_order(service):
    """The first place is the language model's, whatever the weight."""
    _likes_long_titles(service)
    reranked = await _recommend(service, k=8, rerank="llm")
    diverse = await _recommend(service, k=8, rerank="llm", diversity=0.5)
    assert _ids(diverse)[0] == _ids(reranked)[0]
    assert sorted(_ids(diverse)) == sorted(_ids(reranked))


@pytest.mark.parametrize("fault", [LanguageModelUnavailable("ill"), LanguageModelTimeout(1), Overloaded("it")])
async def test_a_language_model_in_trouble_leaves_the_order_and_is_told(service, fault):
    """200 all the same, and counted; while it is down nobody asks it again."""
    plain = await _recommend(service, k=2)
    service.model.fault = fault
    answer = await _recommend(service, k=2, rerank="llm")
    assert _ids(answer) == _ids(plain)
    assert answer["fallback"] == f"no_rerank: {fault}"
    assert service.metric("beat_recommend_fallbacks_total", reason="no_rerank") == 1


async def test_a_slow_language_model_is_not_waited_for(service):
    """At the deadline the retrieved order comes, and the engine is told to stop."""
    plain = await _recommend(service, k=2)
    service.model.go_on.clear()
    answer = await _recommend(service, k=2, rerank="llm", deadline_ms=500)
    assert _ids(answer) == _ids(plain)
    assert answer["fallback"] == "no_rerank: the language model did not judge within 500 ms"
    assert service.model.left == bool(service.model.judged)  # no prompts within the time: it was not even asked


async def test_too_many_under_way_are_not_joined(store):
    """The bounded queue holds for judging too: the second of two requests at once is not judged."""
    async with running(Settings(store=store, llm_max_prompts=10)) as service:
        service.model.go_on.clear()
        first = asyncio.create_task(_recommend(service, k=2, rerank="llm", deadline_ms=60_000))
        await _until(lambda: service.model.judged)
        assert "no room" in (await _recommend(service, k=2, rerank="llm"))["fallback"]
        service.model.go_on.set()
        assert (await first)["fallback"] is None


async def test_a_client_who_leaves_ends_the_judging(store):
    """The engine notices, and the next question is judged."""
    model = FakeLanguageModel()
    model.go_on.clear()
    async with listening(Settings(store=store), lambda: model) as client:
        leaving = asyncio.create_task(client.post("/recommend", json=BODY))
        await _until(lambda: model.judged)
        leaving.cancel()
        await _until(lambda: model.left == 1)
        model.go_on.set()
        assert (await client.post("/recommend", json=BODY)).json()["fallback"] is None


async def test_nobody_in_particular_and_no_model_are_told(service, store):
    """There is nothing to judge for, or nobody who judges."""
    stranger = await _recommend(service, user_id="nobody", rerank="llm")
    assert "no_rerank: nothing is known of the user" in stranger["fallback"]
    async with running(Settings(store=store, llm="none")) as without:
        answer = await _recommend(without, rerank="llm", k=2)
    assert _ids(answer) == [ITEM_IDS[row] for row in unseen_rows(0)]
    assert answer["fallback"] == "no_rerank: the service runs without a language model"


async def test_nothing_to_judge_asks_nobody(service):
    """Every item is excluded."""
    answer = await _recommend(service, exclude=list(ITEM_IDS), rerank="llm")
    assert answer["fallback"].startswith("empty: ")
    assert service.model.judged == []


async def test_the_real_language_model_says_yes_to_what_it_is_told_to(smollm2):
    """Of SmolLM2 itself: after an instruction to answer Yes, Yes is likelier than No, and the other way round."""
    folder, spec = smollm2.folder, smollm2.spec
    encoder, table = PromptEncoder.open(folder), TokenEmbeddings.open(folder, scale=spec.embedding_scale)
    asked = (
        f"{spec.chat.before_user}Answer with the one word {word}.{spec.chat.before_answer}" for word in ("Yes", "No")
    )
    prompts = [table.rows(np.array(encoder.encode_text(text, trusted=True))) for text in asked]
    model = TransformersModel(folder, spec)
    try:
        logprobs = await model.first_token_logprobs(prompts, answer_ids(encoder))
    finally:
        await model.close()
    margins = logprobs[:, 0] - logprobs[:, 1]
    assert margins[0] > 0 > margins[1]
