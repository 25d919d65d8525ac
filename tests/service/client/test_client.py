"""The client against the real application on a real socket, and what it does when calls fail."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from service.api_keys import make_key
from service.app import create_app
from service.client import (
    AsyncBeatClient,
    BeatClient,
    DeltaEvent,
    DoneEvent,
    EvidenceEvent,
    ExplainRequest,
    FeedbackEventModel,
    FeedbackRequest,
    Problem,
    RecommendBatchRequest,
    RecommendRequest,
    Unreachable,
)
from service.settings import Settings
from service.versions import Versions
from tests.artifacts import ITEM_IDS, USER_IDS, unseen_rows
from tests.fakes import FakeLanguageModel
from tests.live_server import live_in_thread

KEY = make_key("ops", "serve+admin")
ASKED = ITEM_IDS[unseen_rows(0)[0]]
EXPLAIN = ExplainRequest(user_id=USER_IDS[0], item_id=ASKED)
TEXT = FakeLanguageModel().text


@pytest.fixture(scope="module")
def url(store: Path) -> Iterator[str]:
    """The application behind uvicorn on loopback, with API keys and a fake language model."""
    versions = Versions(Settings(store=store, api_keys=KEY.entry, latest_check_interval_s=0), FakeLanguageModel)
    with live_in_thread(create_app(versions)) as address:
        while httpx.get(f"{address}/readyz").json()["parts"]["language_model"]["state"] != "ok":
            time.sleep(0.01)
        yield address


def test_every_question_has_a_typed_answer(url):
    """Values of the schemas, from the real routes."""
    with BeatClient(url, api_key=KEY.secret) as client:
        found = client.recommend(RecommendRequest(user_id=USER_IDS[0], k=2))
        assert [item.item_id for item in found.items] == [ITEM_IDS[row] for row in unseen_rows(0)]
        assert client.explain(EXPLAIN).text == TEXT
        many = client.explain_many(ExplainRequest(user_id=USER_IDS[0], item_ids=tuple(ITEM_IDS[:3])))
        assert [explanation.item_id for explanation in many.explanations] == list(ITEM_IDS[:3])
        assert len(client.similar(ITEM_IDS[0], k=2).items) == 2
        assert client.user_tokens(USER_IDS[0]).user_id == USER_IDS[0]
        assert {user.id for user in client.find_users("user-").users} == set(USER_IDS)
        assert client.find_items("Red", limit=1).items[0].title.startswith("Red")
        assert client.model().version == client.reload().model_version == found.model_version
        assert client.readiness().ready


def test_many_users_are_asked_for_at_once(url):
    """Each in the order asked, as alone."""
    with BeatClient(url, api_key=KEY.secret) as client:
        batch = client.recommend_batch(RecommendBatchRequest(user_ids=(USER_IDS[0], "nobody"), k=2))
    assert [one.user_id for one in batch.recommendations] == [USER_IDS[0], "nobody"]
    assert [item.item_id for item in batch.recommendations[0].items] == [ITEM_IDS[row] for row in unseen_rows(0)]


def test_what_is_told_of_a_recommendation_counts(url):
    """The event finds its recommendation, and the item does not come again."""
    with BeatClient(url, api_key=KEY.secret) as client:
        asked = RecommendRequest(user_id="newcomer", history=(ITEM_IDS[0],), k=1)
        found = client.recommend(asked)
        event = FeedbackEventModel(
            kind="dislike", item_id=found.items[0].item_id, recommendation_id=found.recommendation_id
        )
        receipt = client.feedback(FeedbackRequest(events=(event,)))
        assert (receipt.accepted, receipt.applied, receipt.joined) == (1, 1, 1)
        assert client.recommend(asked).items[0].item_id != found.items[0].item_id


def test_a_recommendation_may_come_with_explanations(url):
    """As `explain: N` asks for."""
    with BeatClient(url, api_key=KEY.secret) as client:
        found = client.recommend(RecommendRequest(user_id=USER_IDS[0], k=2, explain=1))
    first, second = (item.explanation for item in found.items)
    assert first is not None
    assert first.text == TEXT
    assert second is None


def test_both_clients_ask_the_same_questions():
    """Name by name."""
    assert _questions(BeatClient) == _questions(AsyncBeatClient)


def _questions(client: type) -> set[str]:
    return {name for name in vars(client) if not name.startswith("_")}


def test_a_stream_is_evidence_pieces_and_an_end(url):
    """The pieces make the text of the end."""
    with BeatClient(url, api_key=KEY.secret) as client:
        first, *pieces, last = client.explain_stream(EXPLAIN)
    assert isinstance(first, EvidenceEvent)
    assert isinstance(last, DoneEvent)
    assert "".join(piece.text for piece in pieces if isinstance(piece, DeltaEvent)) == last.text == TEXT


async def test_the_asynchronous_client_answers_the_same(url):
    """One question, one stream, one failure."""
    async with AsyncBeatClient(url, api_key=KEY.secret) as client:
        found = await client.recommend(RecommendRequest(user_id=USER_IDS[0], k=2))
        assert [item.item_id for item in found.items] == [ITEM_IDS[row] for row in unseen_rows(0)]
        batch = await client.recommend_batch(RecommendBatchRequest(user_ids=(USER_IDS[0],), k=2))
        assert [item.item_id for item in batch.recommendations[0].items] == [item.item_id for item in found.items]
        viewed = FeedbackEventModel(kind="view", item_id=ASKED, user_id="someone")
        assert (await client.feedback(FeedbackRequest(events=(viewed,)))).accepted == 1
        events = [event async for event in client.explain_stream(EXPLAIN)]
        assert isinstance(events[-1], DoneEvent)
        with pytest.raises(Problem) as caught:
            await client.explain(ExplainRequest(user_id=USER_IDS[0], item_id=999_999))
    assert (caught.value.status, caught.value.type) == (404, "urn:beat-serve:problem:unknown-item")


def test_failures_are_problems_with_what_the_service_said(url):
    """A wrong key, an unknown item in a stream, nothing to roll back to."""
    with BeatClient(url, api_key="wrong") as client, pytest.raises(Problem) as caught:
        client.model()
    assert caught.value.status == 401
    assert caught.value.request_id
    with BeatClient(url, api_key=KEY.secret) as client:
        with pytest.raises(Problem, match="999999"):
            next(iter(client.explain_stream(ExplainRequest(user_id=USER_IDS[0], item_id=999_999))))
        with pytest.raises(Problem, match="409"):
            client.roll_back()


def test_questions_that_fit_no_method_are_refused():
    """Before anything is sent."""
    with BeatClient("http://nowhere.invalid") as client:
        with pytest.raises(ValueError, match="explain_many"):
            client.explain(ExplainRequest(user_id=1, item_ids=(1,)))
        with pytest.raises(ValueError, match="item_ids"):
            client.explain_many(EXPLAIN)


Answers = list[httpx.Response | type[httpx.TransportError]]


def _asked(outcomes: Answers, call: Callable[[BeatClient], object]) -> tuple[int, object]:
    """How often the client asked while the service answered these, and what it made of it."""
    left = list(outcomes)

    def answer(request: httpx.Request) -> httpx.Response:
        outcome = left.pop(0)
        if isinstance(outcome, httpx.Response):
            return outcome
        raise outcome("broken")

    with BeatClient("http://svc", transport=httpx.MockTransport(answer)) as client:
        try:
            made = call(client)
        except (Problem, Unreachable) as error:
            made = error
    return len(outcomes) - len(left), made


GOOD = httpx.Response(200, json={"ready": True, "parts": {}})
TAKEN = httpx.Response(202, json={"accepted": 1, "applied": 0, "joined": 0, "shared": True})
SWAPPED = httpx.Response(200, json={"model_version": "a", "previous_version": "b", "seconds": 0.1})


def _busy(status: int) -> httpx.Response:
    return httpx.Response(status, headers={"retry-after": "0"}, json={})


@pytest.mark.parametrize("outcome", [httpx.ConnectError, httpx.ReadError, _busy(429), _busy(503)])
def test_what_changes_nothing_is_asked_again(outcome):
    """After a connection that failed or broke, and after an answer that says to come back."""
    asked, made = _asked([outcome, GOOD], lambda client: client.readiness())
    assert asked == 2
    assert made.ready  # type: ignore[attr-defined]


@pytest.mark.parametrize("outcome", [httpx.ReadTimeout, httpx.Response(500, json={}), httpx.Response(404, json={})])
def test_what_stands_is_not_asked_again(outcome):
    """A timeout would be doubled work; a mistake stays one."""
    asked, made = _asked([outcome, GOOD], lambda client: client.readiness())
    assert asked == 1
    assert isinstance(made, Problem | Unreachable)


@pytest.mark.parametrize(("outcome", "times"), [(httpx.ReadError, 1), (_busy(503), 1), (httpx.ConnectError, 2)])
def test_what_changes_something_is_asked_again_only_if_it_never_arrived(outcome, times):
    """A rollback that broke off may have happened, and be undone if asked twice; feedback would count twice."""
    asked, _ = _asked([outcome, SWAPPED], lambda client: client.roll_back())
    assert asked == times
    told = FeedbackRequest(events=(FeedbackEventModel(kind="view", item_id=1),))
    asked, _ = _asked([outcome, TAKEN], lambda client: client.feedback(told))
    assert asked == times


def test_asking_ends():
    """After three attempts the last failure is told."""
    asked, made = _asked([_busy(429)] * 5, lambda client: client.readiness())
    assert asked == 3
    assert isinstance(made, Problem)


def test_an_answer_of_something_in_between_is_a_problem_too():
    """A gateway's page of HTML."""
    asked, made = _asked([httpx.Response(502, text="<html>bad gateway</html>")], lambda client: client.readiness())
    assert asked == 1
    assert isinstance(made, Problem)
    assert made.status == 502
