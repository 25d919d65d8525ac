"""Against a real vLLM server (`make test-vllm`): the texts of the in-process engine, and a server kept well."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from model_store import Artifact
from model_store.prompt import PromptEncoder, PromptTemplate, embed_prompt
from model_store.rerank_prompt import answer_ids
from model_store.token_embeddings import TokenEmbeddings
from model_store.types import BehaviorTokens, Slot
from service.adapters.transformers_model import TransformersModel
from service.adapters.vllm_model import VllmModel
from service.errors import LanguageModelUnavailable

pytestmark = pytest.mark.vllm

PAIRS = 10
MUST_AGREE = 8
TOKENS = 20


@pytest.fixture(scope="module")
def prompts(demo_artifact: Artifact) -> list[np.ndarray]:
    """Prompts of ten (user, item) pairs, spread over the catalogue, as the service makes them."""
    folder, soft_tokens = demo_artifact.language_model_path, demo_artifact.soft_tokens
    template = PromptTemplate.from_json(demo_artifact.manifest.prompt_template)
    encoder, embeddings = PromptEncoder.open(folder), TokenEmbeddings.open(folder)
    made = []
    for pair in range(PAIRS):
        user_row = pair * (len(demo_artifact.user_codes) // PAIRS)
        item_row = pair * (len(demo_artifact.item_codes) // PAIRS)
        item = demo_artifact.catalog.item(item_row)
        liked = [demo_artifact.catalog.item(int(row)).title for row in demo_artifact.histories.of(user_row)[:3]]
        soft: dict[Slot, np.ndarray] = {
            "style": soft_tokens.style,
            "user": soft_tokens.of("user", BehaviorTokens.from_codes(demo_artifact.user_codes[user_row])),
            "item": soft_tokens.of("item", BehaviorTokens.from_codes(demo_artifact.item_codes[item_row])),
        }
        prompt = template.render(title=item.title, text=item.text, history=liked)
        made.append(embed_prompt(encoder.encode(prompt), embeddings, soft))
    return made


@pytest.fixture
async def vllm(vllm_url: str, demo_artifact: Artifact):
    folder, spec = demo_artifact.language_model_path, demo_artifact.manifest.language_model
    model = VllmModel(vllm_url, folder, spec, wire_dtype="float32")
    yield model
    await model.close()


async def test_vllm_writes_what_transformers_writes(vllm, demo_artifact, prompts):
    """Greedy, float32 on both sides: the first 20 tokens are equal on at least 8 of 10 pairs, and so is their text."""
    folder, spec = demo_artifact.language_model_path, demo_artifact.manifest.language_model
    in_process = TransformersModel(folder, spec, dtype="float32", timeout_s=300)
    ours = [await in_process.generate(prompt, max_tokens=TOKENS) for prompt in prompts]
    await in_process.close()
    theirs = [await vllm.generate(prompt, max_tokens=TOKENS) for prompt in prompts]
    equal = [a.token_ids == b.token_ids and a.text == b.text for a, b in zip(ours, theirs, strict=True)]
    assert sum(equal) >= MUST_AGREE, list(zip(ours, theirs, strict=True))


async def test_vllm_judges_as_transformers_does(vllm, demo_artifact, prompts):
    """Log-probabilities of any token asked for, the improbable ones too, in float32 on both sides."""
    folder, spec = demo_artifact.language_model_path, demo_artifact.manifest.language_model
    token_ids = [*answer_ids(PromptEncoder.open(folder)), 0, 1000]
    in_process = TransformersModel(folder, spec, dtype="float32", timeout_s=300)
    ours = await in_process.first_token_logprobs(prompts, token_ids)
    await in_process.close()
    np.testing.assert_allclose(await vllm.first_token_logprobs(prompts, token_ids), ours, atol=0.02)


async def test_several_prompts_in_one_call_answer_as_each_alone(vllm, prompts):
    """A list of embeddings comes back in order, each as it is alone."""
    together = await vllm.generate_many(prompts[:4], max_tokens=TOKENS)
    assert together == [await vllm.generate(prompt, max_tokens=TOKENS) for prompt in prompts[:4]]


async def test_a_right_server_passes_the_check(vllm):
    """Canary and parity (ids against their embeddings) hold on the real server."""
    await vllm.check()


async def test_wrong_embeddings_fail_the_check(vllm_url, demo_artifact):
    """A table at the wrong scale is found by the parity test, before a user could read its answers."""
    spec = replace(demo_artifact.manifest.language_model, embedding_scale=4.0)
    model = VllmModel(vllm_url, demo_artifact.language_model_path, spec)
    with pytest.raises(LanguageModelUnavailable, match="differ"):
        await model.check()
    await model.close()


async def test_what_would_harm_the_server_never_reaches_it(vllm, prompts):
    """Wrong width, wrong dtype, NaN: refused here, and the server answers the next prompt as before."""
    before = await vllm.generate(prompts[0], max_tokens=TOKENS)
    poison = prompts[0].copy()
    poison[3, 5] = np.nan
    for bad in (prompts[0][:, :-1], prompts[0].astype(np.float64), prompts[0][None], poison):
        with pytest.raises(ValueError, match="prompt_embeds"):
            await vllm.generate(bad, max_tokens=TOKENS)
    assert await vllm.generate(prompts[0], max_tokens=TOKENS) == before


async def test_both_wire_dtypes_are_read(vllm_url, demo_artifact, prompts):
    """bfloat16 halves the traffic; the server reads it too."""
    folder, spec = demo_artifact.language_model_path, demo_artifact.manifest.language_model
    model = VllmModel(vllm_url, folder, spec, wire_dtype="bfloat16")
    assert (await model.generate(prompts[0], max_tokens=4)).prompt_tokens == len(prompts[0])
    await model.check()
    await model.close()


async def test_a_caller_who_leaves_harms_nobody(vllm, prompts):
    """After a cancelled generation the server answers others as before."""
    before = await vllm.generate(prompts[1], max_tokens=TOKENS)
    leaving = asyncio.create_task(vllm.generate(prompts[0], max_tokens=500))
    await asyncio.sleep(0.3)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await vllm.generate(prompts[1], max_tokens=TOKENS) == before


async def test_sampling_obeys_its_temperature(vllm, prompts):
    """At temperature 0 twice the same; at 1.5 eight tries are not all alike."""
    assert await vllm.generate(prompts[0], max_tokens=12) == await vllm.generate(prompts[0], max_tokens=12)
    sampled = [await vllm.generate(prompts[0], max_tokens=12, temperature=1.5) for _ in range(8)]
    assert len({generation.token_ids for generation in sampled}) > 1
