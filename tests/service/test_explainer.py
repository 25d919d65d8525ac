"""POST /explain on the checkerboard: where the text comes from, what it rests on, what the language model was given."""

import numpy as np
import pytest

from model_store.prompt import PromptEncoder, PromptTemplate, embed_prompt
from model_store.token_embeddings import TokenEmbeddings
from model_store.types import BehaviorTokens
from service.schemas.explain import ExplainResponse
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS, unseen_rows
from tests.service.conftest import running

USER_ROW = 3
ITEM_ROW = unseen_rows(USER_ROW)[0]
BODY = {"user_id": USER_IDS[USER_ROW], "item_id": ITEM_IDS[ITEM_ROW]}


async def test_the_answer_is_the_language_models_text_with_its_evidence(service):
    """It fits the schema exactly and carries who wrote it, from what, and how long each stage took."""
    answer = (await service.client.post("/explain", json=BODY)).json()
    assert ExplainResponse.model_validate(answer).model_dump() == answer
    assert answer["text"] == service.model.text
    assert answer["source"] == "llm"
    assert answer["title"] == f"Blue Tale {ITEM_ROW}"
    assert answer["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == len(service.model.text.split())
    assert set(answer["timings_ms"]) == {"tokens", "evidence", "prompt", "decode", "total"}
    assert len(answer["evidence"]["past_items"]) == 3
    assert "blue" in answer["evidence"]["shared_words"]


async def test_the_language_model_reads_exactly_the_trained_prompt(service):
    """Independently assembled from the artifact: template, both sides' soft tokens, item text, evidence titles."""
    answer = (await service.client.post("/explain", json=BODY)).json()
    artifact = service.components.artifact
    item, soft = artifact.catalog.item(ITEM_ROW), artifact.soft_tokens
    past_titles = [past["title"] for past in answer["evidence"]["past_items"]]
    prompt = PromptTemplate.from_json(artifact.manifest.prompt_template).render(
        title=item.title, text=item.about, history=past_titles
    )
    expected = embed_prompt(
        PromptEncoder.open(artifact.language_model_path).encode(prompt),
        TokenEmbeddings.open(artifact.language_model_path),
        {
            "style": soft.style,
            "user": soft.lookup("user", BehaviorTokens.from_codes(artifact.user_codes[USER_ROW])),
            "item": soft.lookup("item", BehaviorTokens.from_codes(artifact.item_codes[ITEM_ROW])),
        },
    )
    (given,) = service.model.prompts
    np.testing.assert_array_equal(given, expected)
    assert given.dtype == np.float32
    assert len(given) == answer["usage"]["prompt_tokens"]


async def test_another_user_gives_another_prompt(service):
    """The user's tokens reach the language model: a red and a blue user, the same item."""
    for user_row in (0, 1):
        await service.client.post("/explain", json=BODY | {"user_id": USER_IDS[user_row], "item_id": ITEM_IDS[0]})
    one, other = service.model.prompts
    assert one.shape != other.shape or not np.array_equal(one, other)


@pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("never any end " * 40, "breaks_off")])
async def test_a_text_that_cannot_be_used_is_replaced_by_the_template(service, text, reason):
    """The source says so, the text is true, and the metric counts why."""
    service.model.text = text
    answer = (await service.client.post("/explain", json=BODY)).json()
    assert answer["source"] == "template"
    assert answer["text"].startswith(f"Blue Tale {ITEM_ROW} is close to ")
    assert service.metric("beat_grounding_rejections_total", reason=reason) == 1
    assert service.metric("beat_explanations_total", source="template") == 1


async def test_a_text_that_breaks_off_ends_with_its_last_sentence(service):
    """What was whole is kept and stays the language model's."""
    service.model.text = "It is blue. You like blue very much"
    answer = (await service.client.post("/explain", json=BODY | {"max_tokens": 5})).json()
    assert (answer["text"], answer["source"], answer["finish_reason"]) == ("It is blue.", "llm", "length")


async def test_max_tokens_is_the_setting_unless_the_request_says(store):
    """Both bound what is written."""
    async with running(Settings(store=store, max_tokens=4)) as service:
        service.model.text = "One two three. Four five six."
        default = (await service.client.post("/explain", json=BODY)).json()
        asked = (await service.client.post("/explain", json=BODY | {"max_tokens": 3})).json()
    assert (default["usage"]["completion_tokens"], asked["usage"]["completion_tokens"]) == (4, 3)


async def test_without_a_language_model_the_template_explains(store):
    """A service told to run without one says who wrote the text, and is ready."""
    async with running(Settings(store=store, llm="none")) as service:
        answer = (await service.client.post("/explain", json=BODY)).json()
        ready = (await service.client.get("/readyz")).json()
    assert answer["source"] == "template"
    assert answer["usage"] == {"prompt_tokens": 0, "completion_tokens": 0}
    assert ready["parts"]["language_model"]["state"] == "off"
