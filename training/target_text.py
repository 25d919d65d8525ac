"""One target's text, composed of what may be said of a pair, with every statement recorded beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from training.facts import CAST, DECADE, DIRECTOR, KEYWORD, YEAR, Fact
from training.phrasing import (
    FANS_FRAMES,
    ITSELF_FRAME,
    KIND_FRAMES,
    KINDS_OF_ITEM,
    LINK_FRAMES,
    LITTLE_KNOWN_FRAMES,
    NO_HISTORY_FRAMES,
    OFFER_FRAMES,
    PLAIN_LINK_FRAMES,
    STORY_FRAMES,
    STRANGE_FRAMES,
    TASTE_FRAMES,
    UNKNOWN_TASTE_FRAMES,
    Wording,
    join,
)
from training.target_content import Content, Liked, Link, Taste

MIN_WORDS: Final = 25
MAX_WORDS: Final = 60
LIKED, FANS, STORY = "liked", "fans", "story"


@dataclass(frozen=True)
class Statement:
    """One thing that a text states.

    About the user: a preference, or kind "liked": an item of theirs, by its title. About the item: a fact of it, kind
    "story": a sentence of its text, or kind "fans": that many users who liked the titled item like this one too.
    `supports`: rows of the user's training likes that show it; empty where only the item's own data does.
    """

    about: Literal["user", "item"]
    kind: str
    value: str
    supports: tuple[int, ...] = ()


@dataclass(frozen=True)
class Amount:
    """How much of the content a text takes."""

    tastes: int
    liked: int
    keywords: int
    people: int
    kind: bool
    fans: bool
    little_known: bool = False


AMOUNTS: Final = (
    Amount(tastes=1, liked=1, keywords=1, people=0, kind=False, fans=False),
    Amount(tastes=2, liked=2, keywords=2, people=1, kind=False, fans=False),
    Amount(tastes=2, liked=2, keywords=3, people=1, kind=True, fans=False),
    Amount(tastes=3, liked=3, keywords=3, people=2, kind=True, fans=False),
    Amount(tastes=3, liked=3, keywords=3, people=3, kind=True, fans=True),
    Amount(tastes=3, liked=3, keywords=4, people=3, kind=True, fans=True, little_known=True),
)
FIRST_AMOUNTS: Final = (1, 2, 3)


@dataclass(frozen=True)
class Draft:
    """A text and all that it states."""

    text: str
    stated: tuple[Statement, ...]

    @property
    def num_words(self) -> int:
        """Words between spaces."""
        return len(self.text.split())

    def __add__(self, other: Draft) -> Draft:
        return Draft(f"{self.text} {other.text}".strip(), self.stated + other.stated)


NOTHING: Final = Draft("", ())


def compose(content: Content, wording: Wording, number: int) -> Draft:
    """A text of MIN_WORDS to MAX_WORDS as far as the content allows; `number` picks phrasing and amount."""
    level = FIRST_AMOUNTS[number % len(FIRST_AMOUNTS)]
    draft = _draft(content, wording, number, AMOUNTS[level])
    while draft.num_words < MIN_WORDS and level + 1 < len(AMOUNTS):
        level += 1
        draft = _draft(content, wording, number, AMOUNTS[level])
    while draft.num_words > MAX_WORDS and level > 0:
        level -= 1
        draft = _draft(content, wording, number, AMOUNTS[level])
    return draft


def _draft(content: Content, wording: Wording, number: int, amount: Amount) -> Draft:
    if content.link is not None:
        return _linked(content, content.link, wording, number, amount)
    if not content.meets:
        return _strange(content, wording, number, amount)
    tastes, liked = _shown(content, amount)
    taste = _taste_sentence(tastes, liked, wording, number)
    matched = [taste.fact for taste in tastes]
    return taste + _offer_sentence(content, matched, wording, number, amount) + _more(content, number, amount)


def _shown(content: Content, amount: Amount, *, besides: Liked | None = None) -> tuple[list[Taste], list[Liked]]:
    """Preferences that can be shown by few past items, and these: each shows one at least."""
    wanted = list(content.tastes[: amount.tastes])
    pool = [item for item in content.liked if any(item.row in taste.supports for taste in wanted) and item != besides]
    chosen: list[Liked] = []
    while pool and len(chosen) < amount.liked:
        open_tastes = [taste for taste in wanted if not any(item.row in taste.supports for item in chosen)]
        best = max(pool, key=lambda item: sum(item.row in taste.supports for taste in open_tastes))  # first of equals
        chosen.append(best)
        pool.remove(best)
    return [taste for taste in wanted if any(item.row in taste.supports for item in chosen)], chosen


def _taste_sentence(tastes: Sequence[Taste], liked: Sequence[Liked], wording: Wording, number: int) -> Draft:
    several = len(liked) > 1
    text = _pick(TASTE_FRAMES, number // 7).format(
        tastes=wording.tastes([taste.fact for taste in tastes]),
        liked=join([item.title for item in liked]),
        are="are" if several else "is",
        show="show" if several else "shows",
    )
    return Draft(text, _of_user(tastes, liked))


def _offer_sentence(content: Content, matched: Sequence[Fact], wording: Wording, number: int, amount: Amount) -> Draft:
    offers = _offers(content.facts, matched, amount)
    kind = _kind(content.facts, matched)
    if not offers:
        text = _pick(KIND_FRAMES, number // 61).format(title=content.title, kind=wording.kind(kind))
        return Draft(text, _of_item(kind))
    title = content.title
    if amount.kind or any(fact.kind == DECADE for fact in matched):
        title, said = f"{title}, {wording.kind(kind)},", [*kind, *offers]
    else:
        offers = [*(fact for fact in kind if fact.kind in KINDS_OF_ITEM), *offers]
        said = offers
    text = _pick(OFFER_FRAMES, number // 61).format(title=title, offers=wording.offers(offers))
    return Draft(text, _of_item(said))


def _offers(facts: Sequence[Fact], matched: Sequence[Fact], amount: Amount) -> list[Fact]:
    """People and themes of the item, those that meet a preference first."""
    ordered = [*(fact for fact in matched if fact in facts), *(fact for fact in facts if fact not in matched)]
    people = [fact for fact in ordered if fact.kind in (DIRECTOR, CAST)]
    keywords = [fact for fact in ordered if fact.kind == KEYWORD]
    num_people = max(amount.people, sum(fact in matched for fact in people))
    num_keywords = max(amount.keywords, sum(fact in matched for fact in keywords))
    return people[:num_people] + keywords[:num_keywords]


def _kind(facts: Sequence[Fact], matched: Sequence[Fact]) -> list[Fact]:
    """Up to three genres, those that meet a preference first, and the year."""
    genres = [fact for fact in facts if fact.kind in KINDS_OF_ITEM]
    genres = sorted(genres, key=lambda fact: fact not in matched)[:3]
    return [*genres, *(fact for fact in facts if fact.kind == YEAR)]


def _linked(content: Content, link: Link, wording: Wording, number: int, amount: Amount) -> Draft:
    """On an item that meets no preference, but resembles a past item."""
    tastes, liked = _shown(content, amount, besides=link.liked)
    text = _pick(LINK_FRAMES if tastes else PLAIN_LINK_FRAMES, number // 7).format(
        tastes=wording.tastes([taste.fact for taste in tastes]),
        liked=join([item.title for item in liked]),
        alike=link.liked.title,
        common=wording.offers(link.common),
        title=content.title,
    )
    shared = tuple(Statement("item", fact.kind, fact.value, (link.liked.row,)) for fact in link.common)
    sentence = Draft(text, _of_user(tastes, [*liked, link.liked]) + shared)
    kind = _kind([fact for fact in content.facts if fact not in link.common], ())
    itself = Draft(ITSELF_FRAME.format(kind=wording.kind(kind)), _of_item(kind)) if kind and amount.kind else NOTHING
    return sentence + itself + _own(content, [*kind, *link.common], wording, number, amount)


def _strange(content: Content, wording: Wording, number: int, amount: Amount) -> Draft:
    """An honest text on an item that is unlike all past ones, or for a user of whom nothing is known."""
    tastes, liked = _shown(content, amount)
    frames: Sequence[str] = STRANGE_FRAMES
    if not tastes:
        liked = list(content.liked[: amount.liked])
        frames = UNKNOWN_TASTE_FRAMES if liked else NO_HISTORY_FRAMES
    kind = _kind(content.facts, ())
    text = _pick(frames, number // 7).format(
        tastes=wording.tastes([taste.fact for taste in tastes]),
        liked=join([item.title for item in liked]),
        title=content.title,
        kind=wording.kind(kind),
    )
    sentence = Draft(text, _of_user(tastes, liked) + _of_item(kind))
    return sentence + _own(content, kind, wording, number, amount)


def _own(content: Content, said: Sequence[Fact], wording: Wording, number: int, amount: Amount) -> Draft:
    """What else the item brings, as a sentence that calls it "it"."""
    offers = _offers([fact for fact in content.facts if fact not in said], (), amount)
    brought = Draft(f"It brings {wording.offers(offers)}.", _of_item(offers)) if offers else NOTHING
    fans = _fans(content, number) if amount is not AMOUNTS[0] and len(offers) < 3 else NOTHING
    return brought + fans + _little_known(content, number, amount)


def _more(content: Content, number: int, amount: Amount) -> Draft:
    """What stands in for themes where the data tells none."""
    themes = sum(fact.kind == KEYWORD for fact in content.facts)
    if themes > 1 and not amount.fans:
        return NOTHING
    if themes < 2 and content.story and amount.kind:
        text = _pick(STORY_FRAMES, number // 431).format(story=content.story)
        return Draft(text, (Statement("item", STORY, content.story),))
    return (_fans(content, number) if amount.kind else NOTHING) + _little_known(content, number, amount)


def _little_known(content: Content, number: int, amount: Amount) -> Draft:
    known = content.story or any(fact.kind == KEYWORD for fact in content.facts)
    return Draft(_pick(LITTLE_KNOWN_FRAMES, number // 431), ()) if amount.little_known and not known else NOTHING


def _fans(content: Content, number: int) -> Draft:
    if content.fans_of is None:
        return NOTHING
    text = _pick(FANS_FRAMES, number // 431).format(other=content.fans_of.title)
    return Draft(text, (Statement("item", FANS, content.fans_of.title, (content.fans_of.row,)),))


def _of_user(tastes: Sequence[Taste], liked: Sequence[Liked]) -> tuple[Statement, ...]:
    preferences = [Statement("user", taste.fact.kind, taste.fact.value, taste.supports) for taste in tastes]
    return (*preferences, *(Statement("user", LIKED, item.title, (item.row,)) for item in liked))


def _of_item(facts: Sequence[Fact]) -> tuple[Statement, ...]:
    return tuple(Statement("item", fact.kind, fact.value) for fact in facts)


def _pick(choices: Sequence[str], number: int) -> str:
    return choices[number % len(choices)]
