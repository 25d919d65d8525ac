"""A version is asked before it is served: whole files are not enough."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from service.bootstrap import Components, build_components
from service.errors import VersionRefused
from service.recommendation import Recommendation
from service.settings import Settings
from service.version_check import check_version
from tests.artifacts import USER_IDS


class _Broken:
    """Recommends what the real one does; one user's first score is no number."""

    def __init__(self, components: Components, *, to: object) -> None:
        self._recommender, self._to = components.recommender, to

    async def recommend(self, user_id, history, wanted) -> Recommendation:
        answer = await self._recommender.recommend(user_id, history, wanted)
        if user_id != self._to:
            return answer
        first, *others = answer.items
        return replace(answer, items=(first._replace(score=float("nan")), *others))


@pytest.fixture
async def components(store) -> AsyncIterator[Components]:
    made = build_components(Settings(store=store, llm="none"))
    yield made
    await made.close()


async def test_a_version_that_answers_passes(components):
    """Without a language model there is none to wait for."""
    await check_version(components, own_engine=True)


@pytest.mark.parametrize("place", [0, -1])
async def test_a_version_that_recommends_by_scores_that_are_no_numbers_is_refused(components, place):
    """The first user or the last: told by id."""
    broken = replace(components, recommender=_Broken(components, to=USER_IDS[place]))
    with pytest.raises(VersionRefused, match=f"user {USER_IDS[place]!r} gets scores that are no numbers"):
        await check_version(broken, own_engine=False)
