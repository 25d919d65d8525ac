"""Whether a loaded version can answer: asked before any client asks."""

import asyncio

import numpy as np

from service.bootstrap import Components
from service.errors import Overloaded, VersionRefused
from service.explanation import Question, Sampling
from service.recommendation import Wanted

_USERS = 32
"""Users who are asked for, spread over all of them; it also warms what the first requests would wait for."""
_ENGINE_TIMEOUT_S = 600.0
_EXPLAIN_TIMEOUT_S = 60.0
_POLL_S = 0.05


async def check_version(components: Components, *, own_engine: bool) -> None:
    """Return when the version recommends and explains. Raises VersionRefused.

    A language model of its own must answer; that of the served version is known, and may be down for another reason.
    """
    if own_engine:
        await _until_answering(components)
    artifact = components.artifact
    rows = np.unique(np.linspace(0, len(artifact.user_ids) - 1, _USERS).astype(int))
    for row in rows.tolist():
        answer = await components.recommender.recommend(artifact.user_ids.to_id(row), (), Wanted())
        if not np.isfinite([item.score for item in answer.items]).all():
            raise VersionRefused(artifact.version, f"user {answer.user_id!r} gets scores that are no numbers")
    item_id, user_id = artifact.catalog.ids.to_id(0), artifact.user_ids.to_id(0)
    question = Question((item_id,), Sampling(max_tokens=1), _EXPLAIN_TIMEOUT_S, user_id)
    try:
        (explanation,) = await components.explainer.explain(await components.explainer.prepare(question))
    except Overloaded:
        return  # it is at work for others
    if own_engine and (explanation.fallback or "").startswith(("down", "deadline")):
        raise VersionRefused(artifact.version, f"its language model does not answer: {explanation.fallback}")


async def _until_answering(components: Components) -> None:
    engine = components.engine
    if engine is None:
        return
    version = components.artifact.version
    try:
        async with asyncio.timeout(_ENGINE_TIMEOUT_S):
            while engine.part.state == "starting":
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise VersionRefused(version, f"its language model has not loaded in {_ENGINE_TIMEOUT_S:g} s") from None
    if engine.part.state != "ok":
        raise VersionRefused(version, f"its language model does not answer: {engine.part.detail}")
