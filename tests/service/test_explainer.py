"""POST /explain on the checkerboard: where the text comes from, what it rests on, what the language model was given."""

import asyncio

import numpy as np
import pytest

from model_store.prompt import PromptEncoder, PromptTemplate, embed_prompt
from model_store.token_embeddings import TokenEmbeddings
from model_store.types import BehaviorTokens
from service.schemas.explain import ExplainManyResponse, ExplainResponse
from service.settings import Settings
from tests.artifacts import ITEM_IDS, USER_IDS, history_rows, unseen_rows
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
    assert set(answer["timings_ms"]) == {"tokens", "retrieval", "prompt", "queue", "first_token", "decode", "total"}
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
            "user": soft.of("user", BehaviorTokens.from_codes(artifact.user_codes[USER_ROW])),
            "item": soft.of("item", BehaviorTokens.from_codes(artifact.item_codes[ITEM_ROW])),
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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("never any end " * 40, "breaks_off"),
        ("You like a red film and blue, as you like a red film and blue.", "repeats"),
        ("It is as good as Red Tale 2.", "other_title"),
    ],
)
async def test_a_text_that_cannot_be_used_is_tried_again_and_then_replaced(service, text, reason):
    """Two attempts, the second a little warmer and seeded; then the template, which says so; counted by reason."""
    service.model.text = text
    answer = (await service.client.post("/explain", json=BODY)).json()
    assert answer["source"] == "template"
    assert answer["fallback"].startswith(f"{reason}: ")
    assert answer["text"].startswith(f"Blue Tale {ITEM_ROW} is close to ")
    assert service.model.sampling == [(0.0, None), (0.3, 1)]
    np.testing.assert_array_equal(*service.model.prompts)
    assert service.metric("beat_grounding_rejections_total", reason=reason) == 2
    assert service.metric("beat_explanations_total", source="template") == 1


async def test_a_second_attempt_that_may_be_shown_is(service):
    """The first names another title of the catalogue, the second only the evidence's."""
    service.model.next_texts = ["It is as good as Red Tale 2."]
    answer = (await service.client.post("/explain", json=BODY)).json()
    assert (answer["text"], answer["source"], answer["fallback"]) == (service.model.text, "llm", None)
    assert answer["usage"]["prompt_tokens"] == 2 * len(service.model.prompts[0])


async def test_the_evidences_titles_may_be_named(service):
    """The past item that the answer itself shows."""
    past = (await service.client.post("/explain", json=BODY)).json()["evidence"]["past_items"][0]["title"]
    service.model.text = f"Blue Tale {ITEM_ROW} is as good as {past}."
    answer = (await service.client.post("/explain", json=BODY | {"max_tokens": 50})).json()
    assert (answer["source"], answer["text"]) == ("llm", service.model.text)


async def test_the_same_question_is_answered_from_the_cache(service):
    """One generation; the text is the same, the source and the usage say where it came from."""
    first, second = [(await service.client.post("/explain", json=BODY)).json() for _ in range(2)]
    assert len(service.model.prompts) == 1
    assert (first["source"], second["source"]) == ("llm", "cache")
    assert (first["text"], first["evidence"]) == (second["text"], second["evidence"])
    assert second["usage"] == {"prompt_tokens": 0, "completion_tokens": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 50},
        {"temperature": 0.5, "seed": 1},
        {"user_id": USER_IDS[1]},
        {"item_id": ITEM_IDS[0]},
        {"tokens_of": USER_IDS[0]},
        {"history": [ITEM_IDS[0]]},
    ],
)
async def test_another_question_is_another_text(service, change):
    """Whatever the text follows from is in the key; and each is kept under its own."""
    for body in (BODY, BODY | change):
        assert (await service.client.post("/explain", json=body)).json()["source"] == "llm"
        assert (await service.client.post("/explain", json=body)).json()["source"] == "cache"


async def test_only_repeatable_texts_are_kept(service):
    """Drawn without a seed: every answer is a new one."""
    for _ in range(2):
        assert (await service.client.post("/explain", json=BODY | {"temperature": 0.5})).json()["source"] == "llm"


async def test_fifty_identical_requests_at_once_make_one_generation(service):
    """All get its text."""
    service.model.word_s = 0.01
    answers = await asyncio.gather(*(service.client.post("/explain", json=BODY) for _ in range(50)))
    assert {answer.json()["text"] for answer in answers} == {service.model.text}
    assert len(service.model.prompts) == 1


async def test_a_history_alone_is_explained_to(service):
    """No user id: tokens of the told items, which are the evidence too; what is unknown is said."""
    past = history_rows(1)
    body = {"history": [ITEM_IDS[row] for row in past] + ["nothing"], "item_id": ITEM_IDS[ITEM_ROW]}
    answer = (await service.client.post("/explain", json=body)).json()
    assert (answer["user_id"], answer["unknown_items"], answer["source"]) == (None, ["nothing"], "llm")
    assert {item["item_id"] for item in answer["evidence"]["past_items"]} <= {ITEM_IDS[row] for row in past}
    assert answer["evidence"]["user_tokens"][0]["label"].startswith("blue")


async def test_another_users_tokens_can_take_the_place_of_the_subjects(service):
    """Their tokens reach the model; the history stays the subject's; nobody is a 404."""
    own = (await service.client.post("/explain", json=BODY)).json()
    body = BODY | {"tokens_of": USER_IDS[0]}
    what_if = (await service.client.post("/explain", json=body)).json()
    assert own["evidence"]["past_items"] == what_if["evidence"]["past_items"]
    assert what_if["evidence"]["user_tokens"][0]["label"].startswith("red")
    ours, theirs = service.model.prompts
    assert not np.array_equal(ours, theirs)
    assert (await service.client.post("/explain", json=BODY | {"tokens_of": "nobody"})).status_code == 404


async def test_several_items_are_explained_in_one_answer(service):
    """In the order asked, the same twice if asked twice; one that is known already costs no generation."""
    await service.client.post("/explain", json=BODY)
    rows = [0, ITEM_ROW, 2, 0]
    body = {"user_id": BODY["user_id"], "item_ids": [ITEM_IDS[row] for row in rows]}
    answer = (await service.client.post("/explain", json=body)).json()
    assert ExplainManyResponse.model_validate(answer).model_dump() == answer
    told = answer["explanations"]
    assert [one["item_id"] for one in told] == [ITEM_IDS[row] for row in rows]
    assert [one["source"] for one in told] == ["llm", "cache", "llm", "llm"]
    assert len(service.model.prompts) == 3


async def test_an_unknown_item_among_many_is_named(service):
    """404, before anything is written."""
    body = {"user_id": BODY["user_id"], "item_ids": [ITEM_IDS[0], "nothing"]}
    answer = await service.client.post("/explain", json=body)
    assert (answer.status_code, "'nothing'" in answer.text) == (404, True)
    assert service.model.prompts == []


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
