"""What the smoke test asks: a function each, which returns what it saw or raises SmokeFailure."""

from collections.abc import Callable
from functools import cached_property
from random import randint
from typing import Any

from tests.stack.client import Answer, Client, SmokeFailure, segment

PATIENCE = {"max_tokens": randint(40, 80), "deadline_ms": 120_000}
"""On a busy machine too, the language model is to have its say; an odd length is seldom in the cache."""
NOBODY = "no-such-user-or-item"


class Stack:
    """A running stack, with a user and items to ask about."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @cached_property
    def user(self) -> Any:
        """Outside id of a known user."""
        return self.client.get("/users", limit=1).json()["users"][0]["id"]

    @cached_property
    def recommendation(self) -> dict[str, Any]:
        """An answer of /recommend for the user: three items."""
        answer: dict[str, Any] = self.client.post("/recommend", {"user_id": self.user, "k": 3}).json()
        return answer

    @cached_property
    def items(self) -> list[Any]:
        """Outside ids of the recommended items, best first."""
        return [item["item_id"] for item in self.recommendation["items"]]


def require(condition: object, message: str) -> None:
    """Raise SmokeFailure with the message unless the condition holds."""
    if not condition:
        raise SmokeFailure(message)


def alive(stack: Stack) -> str:
    """The process lives, and every part is ready or off."""
    require(stack.client.get("/healthz").json() == {"status": "ok"}, "GET /healthz does not say ok")
    parts = stack.client.get("/readyz").json()["parts"]
    states = {name: part["state"] for name, part in parts.items()}
    require(set(states.values()) <= {"ok", "off"}, f"parts are not ready: {parts}")
    return ", ".join(f"{name} {state}" for name, state in states.items())


def model(stack: Stack) -> str:
    """The served version has users and items, and is the one that answers."""
    served = stack.client.get("/model").json()
    version = served["version"]
    answering = stack.recommendation["model_version"]
    require(answering == version, f"/model says {version}, /recommend answers from {answering}")
    return str(version)


def search(stack: Stack) -> str:
    """Users are found by their id, items by a word of their title."""
    found = [user["id"] for user in stack.client.get("/users", query=stack.user, limit=5).json()["users"]]
    require(stack.user in found, f"GET /users?query={stack.user} finds {found}")
    item = stack.client.get("/items", limit=1).json()["items"][0]
    titles = [hit["title"] for hit in stack.client.get("/items", query=item["title"], limit=5).json()["items"]]
    require(item["title"] in titles, f"GET /items?query={item['title']} finds {titles}")
    return f"user {stack.user}, {item['title']!r}"


def recommend(stack: Stack) -> str:
    """A known user, a history and a batch get distinct items, best first; a stranger gets some too."""
    scores = [item["score"] for item in stack.recommendation["items"]]
    require(len(set(stack.items)) == 3, f"/recommend gave {stack.items}, expected three items")
    require(scores == sorted(scores, reverse=True), f"/recommend is not best first: {scores}")
    session = stack.client.post("/recommend", {"history": stack.items[:2], "k": 3}).json()
    again = {item["item_id"] for item in session["items"]} & set(stack.items[:2])
    require(session["items"] and not again, f"/recommend for a history gave {session['items']}")
    require(stack.client.post("/recommend", {"user_id": NOBODY}).json()["items"], "a stranger got nothing")
    return f"{stack.items} for user {stack.user}"


def recommend_batch(stack: Stack) -> str:
    """Of many users at once, each gets what it gets alone."""
    body = {"user_ids": [stack.user, NOBODY], "k": 3}
    answers = stack.client.post("/recommend/batch", body).json()["recommendations"]
    ids = [item["item_id"] for item in answers[0]["items"]]
    require(ids == stack.items, f"in a batch {ids}, alone {stack.items}")
    require(answers[1]["items"], "a stranger in a batch got nothing")
    return f"{len(answers)} users"


def similar(stack: Stack) -> str:
    """Other items near an item."""
    near = stack.client.post(f"/items/{segment(stack.items[0])}/similar", {"k": 3}).json()["items"]
    ids = [item["item_id"] for item in near]
    require(ids and stack.items[0] not in ids, f"items similar to {stack.items[0]}: {ids}")
    return str(ids)


def user_tokens(stack: Stack) -> str:
    """Six labelled behaviour tokens and a history."""
    known = stack.client.get(f"/users/{segment(stack.user)}/tokens").json()
    require(len(known["tokens"]) == 6, f"tokens of user {stack.user}: {known['tokens']}")
    require(known["history"], f"user {stack.user} has no history")
    return str(known["tokens"][0]["label"])


def explain(stack: Stack) -> str:
    """The language model says why, with evidence. Some texts may be refused and give way to the template; not all."""
    sources = []
    for item in stack.items:
        body = {"user_id": stack.user, "item_id": item} | PATIENCE
        answer = stack.client.post("/explain", body).json()
        require(answer["text"].strip(), "/explain gave an empty text")
        require(len(answer["evidence"]["user_tokens"]) == 6, "/explain gave no tokens as evidence")
        if answer["source"] in ("llm", "cache"):
            return f"{answer['source']}, {answer['timings_ms']['total']:.0f} ms: {answer['text'][:60]}..."
        sources.append(answer["source"])
    raise SmokeFailure(f"the language model wrote none of {len(sources)} texts: {sources}")


def explain_stream(stack: Stack) -> str:
    """The evidence comes first, then the text as it is written, then the whole answer."""
    body = {"user_id": stack.user, "item_id": stack.items[1], "stream": True} | PATIENCE
    events = stack.client.stream("/explain", body)
    names = [event.name for event in events]
    require(names[:1] == ["evidence"] and names[-1:] == ["done"], f"events of a stream: {names}")
    deltas = [event for event in events if event.name == "delta"]
    done = events[-1]
    if "replace" not in names:
        text = "".join(event.data["text"] for event in deltas)
        require(text.strip() == done.data["text"].strip(), f"streamed {text!r}, closed with {done.data['text']!r}")
    if done.data["source"] == "llm" and len(deltas) > 1:
        spread_ms, decode_ms = 1e3 * (deltas[-1].at_s - deltas[0].at_s), done.data["timings_ms"]["decode"]
        require(spread_ms > decode_ms / 3, f"{len(deltas)} deltas within {spread_ms:.0f} ms: something holds them back")
    return f"{len(deltas)} deltas, {done.data['source']}"


def feedback(stack: Stack) -> str:
    """What a user did with a recommendation is taken."""
    event = {
        "kind": "view",
        "user_id": stack.user,
        "item_id": stack.items[0],
        "recommendation_id": stack.recommendation["recommendation_id"],
    }
    taken = stack.client.post("/feedback", {"events": [event]}, expect=202).json()
    require(taken["joined"] == 1, f"/feedback did not find the recommendation: {taken}")
    return f"joined, shared {taken['shared']}"


def failures(stack: Stack) -> str:
    """What cannot be answered is a problem of the one shape."""
    refused = (
        stack.client.post("/explain", {"user_id": stack.user, "item_id": NOBODY}, expect=404),
        stack.client.post("/recommend", {"k": 0}, expect=422),
        stack.client.get("/no-such-page", expect=404),
    )
    for answer in refused:
        require_problem(answer)
    return ", ".join(str(answer.status) for answer in refused)


def require_problem(answer: Answer) -> None:
    """Raise SmokeFailure unless the answer is a problem (RFC 9457)."""
    kind = answer.headers["content-type"]
    require(kind == "application/problem+json", f"{answer.asked}: {kind} instead of a problem")
    require(answer.json()["status"] == answer.status, f"{answer.asked}: the problem names another status")


def page(stack: Stack) -> str:
    """The page comes with a policy that forbids outside requests."""
    answer = stack.client.get("/")
    require("<html" in answer.body.decode().lower(), "GET / is no HTML page")
    require("default-src" in answer.headers.get("content-security-policy", ""), "GET / has no content security policy")
    return f"{len(answer.body):,} bytes"


def metrics(stack: Stack) -> str:
    """Prometheus's text format, with our names."""
    lines = stack.client.get("/metrics").body.decode().splitlines()
    names = {line.split()[2] for line in lines if line.startswith("# TYPE beat_")}
    require("beat_request_duration_seconds" in names, f"GET /metrics lacks our metrics: {sorted(names)}")
    return f"{len(names)} metrics of ours"


def admin(stack: Stack) -> str:
    """Nobody without a key for it changes which version is served, and nobody at all through the gateway."""
    bodies: dict[str, dict[str, str]] = {"reload": {"version": "latest"}, "rollback": {}}
    statuses = {name: stack.client.post(f"/admin/{name}", body, expect=None).status for name, body in bodies.items()}
    require(set(statuses.values()) <= {401, 403, 404}, f"/admin is open: {statuses}")
    return str(statuses)


def every_endpoint(stack: Stack) -> str:
    """Nothing that the service offers was left out."""
    paths = stack.client.get("/openapi.json").json()["paths"]
    stack.client.get("/docs")
    offered = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    left_out = [f"{method} {path}" for method, path in offered if not stack.client.has_asked(method, path)]
    require(not left_out, f"no check asks {', '.join(left_out)}: add one to tests/stack/smoke.py")
    return f"{len(offered)} asked"


CHECKS: tuple[Callable[[Stack], str], ...] = (
    alive, model, search, recommend, recommend_batch, similar, user_tokens, explain, explain_stream, feedback,
    failures, admin, page, metrics, every_endpoint,
)  # fmt: skip


def without_language_model(stack: Stack) -> str:
    """With the LLM down, recommendations go on; /explain says 503 and when to come back, or gives a template."""
    require(stack.recommendation["items"], "/recommend gave nothing")
    body = {"user_id": stack.user, "item_id": stack.items[2]}
    answer = stack.client.post("/explain", body, expect=None)
    if answer.status == 200:
        require(answer.json()["source"] in ("template", "cache"), f"the language model is not down: {answer.body!r}")
        return str(answer.json()["source"])
    require_problem(answer)
    require(answer.status == 503 and answer.headers["retry-after"], f"/explain: {answer.status}, {answer.headers}")
    return f"503, retry after {answer.headers['retry-after']} s"


ON_DEMAND: tuple[Callable[[Stack], str], ...] = (without_language_model,)
"""For a stack with something missing."""
