"""The application over HTTP: every failure has one shape, its status stands in one table, nothing leaks."""

import httpx
import pytest

from service.app import create_app
from service.errors import LanguageModelTimeout, LanguageModelUnavailable, Overloaded
from service.schemas.common import Problem
from service.schemas.health import Readiness
from service.settings import Settings
from service.types import Part
from service.versions import Versions
from tests.artifacts import ITEM_IDS, USER_IDS
from tests.service.conftest import running

EXPLAIN = {"user_id": USER_IDS[0], "item_id": ITEM_IDS[0]}


def _assert_problem(answer: httpx.Response, status: int) -> dict[str, object]:
    """The failure's body, checked: this status, exactly the five fields, no trace of Python."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "request_id"}
    assert Problem.model_validate(body).status == status
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    return dict(body)


async def test_an_unknown_user_is_named(service):
    """404, and the user is said."""
    answer = await service.client.post("/explain", json=EXPLAIN | {"user_id": "nobody"})
    assert "'nobody'" in str(_assert_problem(answer, 404)["detail"])


async def test_an_unknown_item_is_named(service):
    """404, and the item is said."""
    answer = await service.client.post("/explain", json=EXPLAIN | {"item_id": 999_999})
    assert "999999" in str(_assert_problem(answer, 404)["detail"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"user"',
        b"\xff\xfe",
        b'{"user_id": true}',
        b'{"user_id": 1.5}',
        b'{"user_id": ""}',
        b'{"user_id": "\\ud800"}',
        b'{"user_id": 9223372036854775808}',
        b'{"user_id": "' + b"a" * 257 + b'"}',
        b'{"user_id": ["a"]}',
        b'{"user_id": "a", "k": 0}',
        b'{"user_id": "a", "k": 101}',
        b'{"user_id": "a", "k": "10"}',
        b'{"user_id": "a", "k": true}',
        b'{"user_id": "a", "k": NaN}',
        b'{"user_id": "a", "surprise": 1}',
        b'{"user_id": "a", "k": 1' + b"0" * 5000 + b"}",
        b'{"user_id": "a", "offset": -1}',
        b'{"user_id": "a", "diversity": 1.1}',
        b'{"user_id": "a", "diversity": NaN}',
        b'{"user_id": "a", "rerank": "gpt"}',
        b'{"user_id": "a", "history": 5}',
        b'{"history": [' + b"1," * 500 + b"1]}",
        b'{"filter": {"any": "Comedy"}}',
        b'{"filter": {"some": ["Comedy"]}}',
    ],
)
async def test_a_malformed_body_is_422(service, body):
    """Whatever is wrong with it, the answer is the same shape and says where."""
    headers = {"content-type": "application/json"}
    answer = await service.client.post("/recommend", content=body, headers=headers)
    assert "body" in str(_assert_problem(answer, 422)["detail"])


@pytest.mark.parametrize(
    "change",
    [{"max_tokens": 0}, {"max_tokens": 257}, {"temperature": -1}, {"temperature": 3}, {"item_id": None}, {"other": 1}],
)
async def test_a_malformed_explain_body_is_422(service, change):
    """The limits of /explain hold too."""
    _assert_problem(await service.client.post("/explain", json=EXPLAIN | change), 422)


async def test_many_faults_make_a_short_answer(service):
    """A hostile body does not come back a hundredfold."""
    answer = await service.client.post("/recommend", json={f"field{number}": number for number in range(1000)})
    assert len(answer.content) < 1000
    _assert_problem(answer, 422)


async def test_a_body_beyond_all_use_is_413(service):
    """It is not read to its end, and not echoed."""
    answer = await service.client.post("/recommend", content=b'{"user_id": "' + b"a" * 1_000_000 + b'"}')
    _assert_problem(answer, 413)
    assert len(answer.content) < 1000


async def test_unknown_paths_and_methods_have_the_same_shape(service):
    """404 names the path, 405 the method, and 405 says what is allowed."""
    assert "/nothing" in str(_assert_problem(await service.client.get("/nothing"), 404)["detail"])
    answer = await service.client.get("/recommend")
    assert "GET" in str(_assert_problem(answer, 405)["detail"])
    assert answer.headers["allow"] == "POST"


async def test_our_own_mistake_is_500_without_a_trace(service, caplog):
    """The client learns the request id, the log the trace, the metric the status."""
    service.model.fault = RuntimeError("secret in /home/me/module.py")  # no error of ours: an engine's bug
    answer = await service.client.post("/explain", json=EXPLAIN)
    assert "secret" not in answer.text
    _assert_problem(answer, 500)
    assert service.metric("beat_request_duration_seconds_count", route="/explain", status="500") == 1


@pytest.mark.parametrize(
    ("fault", "word"), [(LanguageModelUnavailable("it is gone"), "down"), (LanguageModelTimeout(1.5), "deadline")]
)
async def test_a_failing_language_model_is_no_failure_of_ours(service, fault, word):
    """/explain answers by the template and says why; /recommend does not notice; readiness holds."""
    service.model.fault = fault
    for _ in range(3):
        answer = (await service.client.post("/explain", json=EXPLAIN)).json()
        assert (answer["source"], answer["fallback"].split(":")[0]) == ("template", word)
        assert (await service.client.post("/recommend", json={"user_id": USER_IDS[0]})).status_code == 200
    assert (await service.client.get("/readyz")).json()["ready"] is True


async def test_readiness_tells_which_part_is_down(service):
    """The language model, and why."""
    service.model.fault = LanguageModelUnavailable("it is gone")
    await service.client.post("/explain", json=EXPLAIN)
    ready = await service.client.get("/readyz")
    assert ready.json()["parts"]["language_model"] == {"state": "down", "detail": "it is gone"}
    assert set(ready.json()["parts"]) == {"model", "token_cache", "explanation_cache", "language_model"}


def test_it_is_not_ready_only_when_it_can_recommend_nothing():
    """The language model and both caches down: ready. No model: not."""
    down = {name: Part("down") for name in ("token_cache", "explanation_cache", "language_model")}
    assert Readiness.of(down | {"model": Part("ok", "v1")})["ready"] is True
    assert Readiness.of(down | {"model": Part("down")})["ready"] is False


async def test_explanations_come_back_with_the_language_model(store):
    """Nobody restarts anything."""
    async with running(Settings(store=store, llm_check_interval_s=0.1)) as service:
        service.model.fault = LanguageModelUnavailable("it is gone")
        assert (await service.client.post("/explain", json=EXPLAIN)).json()["source"] == "template"
        service.model.fault = None
        await service.until_explaining()
        assert (await service.client.post("/explain", json=EXPLAIN)).json()["source"] == "llm"


async def test_overload_has_its_status(service):
    """429 says when to come back."""
    service.model.fault = Overloaded("the queue", 3)
    answer = await service.client.post("/explain", json=EXPLAIN)
    _assert_problem(answer, 429)
    assert answer.headers["retry-after"] == "3"


async def test_before_the_language_model_has_loaded_the_template_explains(store):
    """The application without its start: the language model is still starting."""
    app = create_app(Versions(Settings(store=store)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://svc") as client:
        assert (await client.post("/recommend", json={"user_id": USER_IDS[0]})).status_code == 200
        answer = (await client.post("/explain", json=EXPLAIN)).json()
        assert (answer["source"], answer["fallback"].split(":")[0]) == ("template", "starting")
        assert (await client.get("/readyz")).json()["parts"]["language_model"]["state"] == "starting"


async def test_request_ids_are_the_clients_when_they_are_sane(service):
    """A sane one is kept; one that could forge a log line is replaced; none gets a new one."""
    for sent, kept in (("abc-1.2_Z", True), ("a\tb", False), ("x" * 65, False), ("a{b}", False)):
        answer = await service.client.get("/healthz", headers={"x-request-id": sent})
        assert (answer.headers["x-request-id"] == sent) is kept
    ids = {(await service.client.get("/healthz")).headers["x-request-id"] for _ in range(50)}
    assert len(ids) == 50


async def test_every_request_is_counted_with_route_and_status(service):
    """Failures too, and a path that no route has cannot make new label values."""
    await service.client.post("/explain", json=EXPLAIN)
    await service.client.post("/explain", json=EXPLAIN | {"user_id": "nobody"})
    await service.client.post("/explain", json={})
    await service.client.get("/made/up/7")
    await service.client.get("/made/up/8")
    counted = {
        status: service.metric("beat_request_duration_seconds_count", route="/explain", status=status)
        for status in ("200", "404", "422")
    }
    assert counted == {"200": 1, "404": 1, "422": 1}
    assert service.metric("beat_request_duration_seconds_count", route="unmatched", status="404") == 2


async def test_metrics_are_in_prometheus_text(service):
    """The served version, the stages and the explanations' source are among them."""
    await service.client.post("/explain", json=EXPLAIN)
    answer = await service.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    version = service.components.artifact.version
    assert (
        f'beat_artifact_info{{dataset="checkerboard",language_model="tiny-llama",version="{version}"}} 1.0'
        in answer.text
    )
    assert 'beat_explanations_total{source="llm"} 1.0' in answer.text
    for stage in ("tokens", "retrieval", "prompt", "queue", "first_token", "decode", "total"):
        assert f'beat_stage_duration_seconds_count{{outcome="ok",stage="{stage}"}} 1.0' in answer.text


async def test_healthz_says_that_the_process_lives(service):
    """200 whatever the parts do."""
    assert (await service.client.get("/healthz")).json() == {"status": "ok"}


async def test_openapi_documents_every_answer(service):
    """Docs open; each POST route names its failures with the problem shape; the page loads."""
    document = (await service.client.get("/openapi.json")).json()
    ranking = {"/recommend", "/recommend/batch", "/items/{item_id}/similar", "/feedback"}
    looking_up = {"/users/{user_id}/tokens", "/users", "/items", "/model"}
    assert set(document["paths"]) == ranking | looking_up | {"/explain", "/healthz", "/readyz", "/metrics"}
    expected = {
        "/recommend": {"200", "413", "422", "500"},
        "/recommend/batch": {"200", "413", "422", "500"},
        "/feedback": {"202", "413", "422", "500"},
        "/items/{item_id}/similar": {"200", "404", "413", "422", "500"},
        "/explain": {"200", "404", "413", "422", "500"},
    }
    for path, statuses in expected.items():
        answers = document["paths"][path]["post"]["responses"]
        statuses |= {"401", "403", "429"}  # whoever has a key, may not, or asks too often
        assert set(answers) == statuses
        for status in statuses - {"200", "202"}:
            schema = answers[status]["content"].pop("application/problem+json")["schema"]
            assert set(schema["required"]) == {"type", "title", "status", "detail", "request_id"}
            assert answers[status]["content"] == {}
    assert (await service.client.get("/docs")).status_code == 200
