"""Targets are true: every statement is checked against the data, by another way than the one that made it."""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from tests.training.toy_data import BRIDGE, ROMANCE, SCIENCE_FICTION, UNTOLD, cinema
from training import phrasing
from training.data.dataset import Dataset, Pairs
from training.data.movielens import read_movielens
from training.data.split import TEST, TRAIN, VALID, Split, SplitConfig, check_leaks, split
from training.data.wheels import DownloadError
from training.facts import TasteConfig
from training.supervision import Supervision, SupervisionConfig, Target, build_targets, supervise
from training.target_content import short_titles
from training.target_text import FANS, LIKED, MAX_WORDS, MIN_WORDS, STORY, Statement

FILMS = SupervisionConfig(one="a film", several="films", max_train_pairs=1500, max_held_out_pairs=250)


class Truth:
    """What the data says, by sets and counting: no matrix, none of the code under test."""

    def __init__(self, dataset: Dataset, train: Pairs) -> None:
        self.titles = short_titles(dataset.items)
        self.texts = list(dataset.items.texts)
        self.likes: dict[int, set[int]] = {}
        for user, item in zip(train.users.tolist(), train.items.tolist(), strict=True):
            self.likes.setdefault(user, set()).add(item)
        self.facts = [self.facts_of(dataset, row) for row in range(dataset.num_items)]
        self.num_likes = sum(map(len, self.likes.values()))
        self.popularity = Counter(fact for liked in self.likes.values() for row in liked for fact in self.facts[row])

    def facts_of(self, dataset: Dataset, row: int) -> set[tuple[str, str]]:
        facts = {tuple(fact.split(": ", 1)) for fact in dataset.items.facts[row]}
        decades = {("decade", value[:3] + "0s") for kind, value in facts if kind == "year"}
        return {(kind, value) for kind, value in facts} | decades

    def lift(self, user: int, without: int, fact: tuple[str, str]) -> tuple[set[int], float]:
        """The user's other likes with the fact, and how much more often it comes than among all likes."""
        others = self.likes.get(user, set()) - {without}
        having = {row for row in others if fact in self.facts[row]}
        rate = self.popularity[fact] / self.num_likes
        return having, len(having) / len(others) / rate if others and rate else 0.0

    def fans_in_common(self, item: int, other: int, besides: int) -> int:
        return sum({item, other} <= liked for user, liked in self.likes.items() if user != besides)


def untrue(truth: Truth, target: Target) -> Iterator[Statement]:
    """Statements of a target that the data does not bear out."""
    history = truth.likes.get(target.user_row, set()) - {target.item_row}
    for stated in target.stated:
        fact, support = (stated.kind, stated.value), set(stated.supports)
        titled = {row for row in support if truth.titles[row] == stated.value}
        if stated.kind == LIKED:
            true = len(support) == 1 and support <= history and support == titled
        elif stated.kind == FANS:
            true = support == titled and truth.fans_in_common(target.item_row, min(support), target.user_row) >= 5
        elif stated.kind == STORY:
            true = stated.value in truth.texts[target.item_row]
        elif stated.about == "item":
            true = all(fact in truth.facts[row] for row in {target.item_row, *support}) and support <= history
        else:
            having, lift = truth.lift(target.user_row, target.item_row, fact)
            namesakes = {row for row in having if truth.titles[row] == truth.titles[target.item_row]}
            true = len(having) >= 2 and lift >= TasteConfig().min_lift and support == having - namesakes
        if not true:
            yield stated


def unstated_words(target: Target, title: str) -> set[str]:
    """Words of a text that stand neither in a phrase or frame of the language nor in anything stated."""
    text = target.text
    for said in sorted({title, *(stated.value for stated in target.stated)}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(said)}(?!\w)", " ", text)
    return set(re.findall(r"\w[\w']*", text)) - LANGUAGE


LANGUAGE = set(
    re.findall(
        r"\w[\w']*",
        " ".join(
            [
                *(text for name in vars(phrasing) if name.endswith("_FRAMES") for text in getattr(phrasing, name)),
                phrasing.ITSELF_FRAME,
                "is are show shows a an film films by with from the that touch on themes like as director in cast",
                "mix of and It brings",
            ]
        ),
    )
)
GENRE_WORDS = {word for forms in phrasing._GENRES.values() for form in forms for word in re.findall(r"\w[\w']*", form)}


@pytest.fixture(scope="module")
def toy() -> Dataset:
    return cinema()


def explain(dataset: Dataset, *pairs: tuple[int, int], config: SupervisionConfig = FILMS) -> list[Target]:
    """Targets of these pairs, with all interactions as training likes."""
    users, items = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    return build_targets(dataset, dataset.interactions.pairs, Pairs(users, items), config)


def stated(target: Target, about: str) -> set[tuple[str, str]]:
    return {(one.kind, one.value) for one in target.stated if one.about == about}


def test_a_fan_is_told_the_own_preference_and_what_meets_it(toy: Dataset) -> None:
    """A fan of science fiction and its director, on a film of both: the preference first, then the film."""
    (target,) = explain(toy, (2, 2))

    assert ("genre", "Science Fiction") in stated(target, "user")
    assert stated(target, "user") & {("liked", "Star Port"), ("liked", "Moon Dust"), ("liked", "Iron Robot")}
    assert target.text.index("science fiction") < target.text.index("Far Planet")
    assert "Romance" not in target.text


def test_the_bridge_is_explained_to_either_world_by_its_own(toy: Dataset) -> None:
    """The same film, two users, two reasons."""
    fan_of_space, fan_of_love = explain(toy, (1, BRIDGE), (11, BRIDGE))

    assert ("genre", "Science Fiction") in stated(fan_of_space, "user")
    assert ("genre", "Romance") in stated(fan_of_love, "user")
    liked = {row for one in fan_of_love.stated if one.kind == LIKED for row in one.supports}
    assert liked <= set(ROMANCE)


def test_an_item_of_the_other_world_gets_an_honest_text(toy: Dataset) -> None:
    """No preference is claimed that it would meet; the user's own are named as what they are."""
    (target,) = explain(toy, (2, ROMANCE[0]))

    assert not stated(target, "user") & stated(target, "item")
    assert any(one.value == "Science Fiction" for one in target.stated if one.about == "user")
    assert {row for one in target.stated if one.kind == LIKED for row in one.supports} <= set(SCIENCE_FICTION)


def test_users_and_items_of_whom_nothing_is_known_get_honest_texts(toy: Dataset) -> None:
    """Two likes that share nothing, an item without facts, and a user without any likes."""
    undecided, untold = explain(toy, (20, 1), (2, UNTOLD))
    users, items = np.array([3]), np.array([0])
    cold = build_targets(toy, Pairs(users[:0], items[:0]), Pairs(users, items), FILMS)[0]

    assert {one.kind for one in undecided.stated if one.about == "user"} == {LIKED}
    assert stated(untold, "item") <= {("fans", "Star Port")}
    assert "guess" in cold.text
    assert not stated(cold, "user")


def test_every_toy_statement_is_true(toy: Dataset) -> None:
    """All 210 pairs of users and items, those in training included."""
    targets = explain(toy, *[(user, item) for user in range(21) for item in range(10)])
    truth = Truth(toy, toy.interactions.pairs)

    assert {target.text: list(untrue(truth, target)) for target in targets if list(untrue(truth, target))} == {}


def test_a_pair_has_its_text_whoever_else_is_asked_for(toy: Dataset) -> None:
    """Neither the order of the pairs nor their company changes a text; the seed does."""
    pairs = [(user, item) for user in range(21) for item in range(10)]
    texts = {(one.user_row, one.item_row): one.text for one in explain(toy, *pairs)}

    assert {(one.user_row, one.item_row): one.text for one in explain(toy, *pairs[::-1])} == texts
    assert explain(toy, pairs[77])[0].text == texts[pairs[77]]
    other = SupervisionConfig(seed=1, one="a film", several="films")
    assert sum(one.text != texts[one.user_row, one.item_row] for one in explain(toy, *pairs, config=other)) > 100


@pytest.fixture(scope="module")
def movies() -> tuple[Dataset, Split, Supervision]:
    """Targets of the real data; skips, saying so, where it cannot be had."""
    try:
        dataset = read_movielens()
    except DownloadError as error:
        pytest.skip(f"no MovieLens: {error}")
    parts = split(dataset, SplitConfig())
    return dataset, parts, supervise(dataset, parts, FILMS)


def test_every_statement_on_real_films_is_true(movies: tuple[Dataset, Split, Supervision]) -> None:
    """Fact by fact, by counting over the training likes."""
    dataset, parts, supervision = movies
    truth = Truth(dataset, parts.train)
    sample = supervision.targets[::5]

    assert len(sample) > 300
    assert {target.text: list(untrue(truth, target)) for target in sample if list(untrue(truth, target))} == {}


def test_texts_state_nothing_beside_their_statements(movies: tuple[Dataset, Split, Supervision]) -> None:
    """What is left of a text without its statements is the language's own words."""
    dataset, _, supervision = movies
    titles = short_titles(dataset.items)
    left = {word for one in supervision.targets for word in unstated_words(one, titles[one.item_row])}

    assert left - GENRE_WORDS == set()


def test_genres_that_a_text_names_are_stated(movies: tuple[Dataset, Split, Supervision]) -> None:
    """The words for genres are no loophole: each that is named belongs to a stated genre."""
    _, _, supervision = movies
    for target in supervision.targets[:400]:
        text = target.text
        for one in sorted((one for one in target.stated if one.kind != "genre"), key=lambda one: -len(one.value)):
            text = text.replace(one.value, " ")
        genres = {one.value for one in target.stated if one.kind == "genre"}
        for genre in ("Western", "Documentary", "Musical", "Horror", "Fantasy"):
            assert genre in genres or phrasing._GENRES[genre][0] not in text, (genre, target.text)


def test_texts_are_of_one_size_and_of_many_forms(movies: tuple[Dataset, Split, Supervision]) -> None:
    """25 to 60 words, hardly two alike, every frame in use."""
    _, _, supervision = movies
    texts = supervision.explanations.texts
    words = [len(text.split()) for text in texts]

    assert (min(words) >= MIN_WORDS, max(words) <= MAX_WORDS) == (True, True)
    assert len(set(texts)) > 0.99 * len(texts)
    openings = {text.split(" ")[0] for text in texts}
    assert {"You", "Having", "More", "Your", "Going"} <= openings


def test_held_out_targets_are_fair(movies: tuple[Dataset, Split, Supervision]) -> None:
    """Their pairs are no training pairs, and their items have no training target."""
    dataset, parts, supervision = movies
    explanations = supervision.explanations
    roles = parts.item_roles[explanations.items]

    assert set(roles[supervision.train]) == {TRAIN}
    assert set(roles[supervision.valid]) == {VALID}
    assert set(roles[supervision.test]) == {TEST}
    assert (len(supervision.train), len(supervision.valid), len(supervision.test)) == (1500, 250, 250)
    held_out = explanations.pairs.take(np.concatenate([supervision.valid, supervision.test]))
    check_leaks(parts.train, held_out, dataset.user_ids, dataset.item_ids)


def test_a_text_says_of_its_user_what_it_would_not_say_of_another(movies: tuple[Dataset, Split, Supervision]) -> None:
    """Stated preferences hold for another user in less than half of the cases: the user's part can be measured."""
    dataset, parts, supervision = movies
    truth = Truth(dataset, parts.train)
    shifted = [*supervision.targets[700:], *supervision.targets[:700]]
    holds = [
        truth.lift(other.user_row, -1, (one.kind, one.value))[1] >= TasteConfig().min_lift
        for target, other in zip(supervision.targets[::9], shifted[::9], strict=True)
        for one in target.stated
        if one.about == "user" and one.kind != LIKED
    ]

    assert len(holds) > 200
    assert np.mean(holds) < 0.5
