"""Facts in English: noun phrases, sentence frames and their joints.

It invents nothing: every word that is not a frame's own stands in the facts and titles that it is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from training.facts import CAST, CATEGORY, DIRECTOR, GENRE, KEYWORD, YEAR, Fact

KINDS_OF_ITEM: Final = (GENRE, CATEGORY)
UNSAID_KEYWORDS: Final = frozenset(
    {
        # about the making or the form, which reads badly as a theme
        "independent film", "woman director", "based on novel", "based on true story", "based on tv series",
        "based on video game", "based on play", "based on comic book", "remake", "sequel", "flashback", "cult film",
        "musical", "suspense", "biography", "individual", "black and white", "silent film", "violence", "spoof",
        "extreme violence", "gore", "dying and death", "historical figure", "title spoken by character", "narration",
        # not for a shop window
        "sex", "rape", "nudity", "female nudity", "eroticism", "incest", "child abuse", "prostitute", "prostitution",
        "illegal prostitution", "suicide", "suicide attempt", "pedophilia", "lesbian sex", "sexual abuse", "orgy",
    }
)  # fmt: skip

_GENRES: Final = {
    # genre: (several, as a substance, one)
    "Action": ("action films", "action", "an action film"),
    "Adventure": ("adventure films", "adventure", "an adventure film"),
    "Animation": ("animated films", "animation", "an animated film"),
    "Children's": ("children's films", "children's entertainment", "a children's film"),
    "Comedy": ("comedies", "comedy", "a comedy"),
    "Crime": ("crime films", "crime", "a crime film"),
    "Documentary": ("documentaries", "documentary", "a documentary"),
    "Drama": ("dramas", "drama", "a drama"),
    "Family": ("family films", "family entertainment", "a family film"),
    "Fantasy": ("fantasy films", "fantasy", "a fantasy film"),
    "Film Noir": ("film noir", "film noir", "a film noir"),
    "History": ("historical films", "history", "a historical film"),
    "Horror": ("horror films", "horror", "a horror film"),
    "Music": ("films full of music", "music", "a film full of music"),
    "Musical": ("musicals", "musical numbers", "a musical"),
    "Mystery": ("mysteries", "mystery", "a mystery"),
    "Romance": ("romances", "romance", "a romance"),
    "Science Fiction": ("science fiction", "science fiction", "a science fiction film"),
    "Thriller": ("thrillers", "thrills", "a thriller"),
    "War": ("war films", "war", "a war film"),
    "Western": ("westerns", "a western setting", "a western"),
}

TASTE_FRAMES: Final = (
    "You often go for {tastes}; {liked} {are} among those you liked.",
    "You have a soft spot for {tastes}, as {liked} {show}.",
    "You keep coming back to {tastes}: you liked {liked}.",
    "Having liked {liked}, you clearly have a taste for {tastes}.",
    "More than most people here you enjoy {tastes}, {liked} for example.",
    "Your history leans towards {tastes}, with {liked} among your likes.",
    "Your liking for {liked} points to a taste for {tastes}.",
    "Going by {liked}, you look for {tastes}.",
)
"""What the user likes, and by which past items one knows."""

OFFER_FRAMES: Final = (
    "{title} brings {offers}.",
    "{title} answers that with {offers}.",
    "{title} should suit you, with {offers}.",
    "In {title} you get {offers}.",
    "{title} has that to offer: {offers}.",
    "That is where {title} comes in, with {offers}.",
    "{title} meets that taste with {offers}.",
)
"""What the item brings that meets it."""

KIND_FRAMES: Final = (
    "{title} is {kind}, right along those lines.",
    "{title} fits in well: {kind}.",
    "{title} gives you that again as {kind}.",
    "That makes {title} a natural next choice: {kind}.",
    "{title} goes the same way, being {kind}.",
    "Expect the same from {title}, {kind}.",
)
"""The same for an item of which little more is known than what kind it is."""

STRANGE_FRAMES: Final = (
    "You mostly go for {tastes}, {liked} among them; {title} is a step away from that: {kind}.",
    "Your likes, such as {liked}, lean towards {tastes}. {title} is something else, {kind}.",
    "{title} is not your usual choice: it is {kind}, while you prefer {tastes} such as {liked}.",
    "As someone who prefers {tastes} ({liked}), you would find a change in {title}: {kind}.",
)
"""An item that shares nothing with what the user prefers."""

LINK_FRAMES: Final = (
    "You mostly go for {tastes}, {liked} among them, but you liked {alike} too; {title} shares {common} with it.",
    "Your likes lean towards {tastes}, such as {liked}, but you also liked {alike}. {title} shares {common} with it.",
    "Your usual choice is {tastes}, {liked} for example. Still, {title} is close to {alike}, which you liked as well: "
    "both have {common}.",
    "You prefer {tastes} such as {liked}. Yet {alike} is among your likes as well, and {title} has {common} in common "
    "with it.",
)
"""An item that meets no preference but resembles one past item."""

PLAIN_LINK_FRAMES: Final = (
    "Your likes show no clear leaning yet, but {alike} is one of them, and {title} shares {common} with it.",
    "You liked {alike}. We know little more of your taste, but {title} has {common} in common with it.",
)
"""The same for a user whose likes show no preference."""

UNKNOWN_TASTE_FRAMES: Final = (
    "You liked {liked}, which shows no clear leaning yet. {title} is {kind}.",
    "Your likes so far, {liked} among them, point in no one direction; {title} is {kind}.",
)
"""A user whose likes have nothing in common."""

NO_HISTORY_FRAMES: Final = (
    "We know nothing yet of what you like, so this is a guess and not a judgement of your taste. {title} is {kind}.",
)

FANS_FRAMES: Final = (
    "Many who liked {other} liked it too.",
    "People who liked {other} often liked it as well.",
    "It is often liked together with {other}.",
)
"""That others liked both."""

LITTLE_KNOWN_FRAMES: Final = (
    "Little more than that is known about it here.",
    "There is not much more to go by in its case.",
)
"""Of an item whose data ends there."""

FRAME_WORDS: Final = frozenset(
    word
    for frame in (*TASTE_FRAMES, *STRANGE_FRAMES, *LINK_FRAMES, *PLAIN_LINK_FRAMES, *UNKNOWN_TASTE_FRAMES)
    for word in re.findall(r"\w+", frame.lower())
)
"""Words that texts use of any user: "history" there is no preference for it."""

ITSELF_FRAME: Final = "It is {kind}."

STORY_FRAMES: Final = ("Its story: {story}", "What it is about: {story}")


def said_of(fact: Fact) -> tuple[str, ...]:
    """Words by which a text may name a fact, the usual last: a genre as a substance or as several, else its value."""
    if fact.kind != GENRE or fact.value not in _GENRES:
        return (fact.value,)
    several, substance, _ = _GENRES[fact.value]
    return fact.value, substance, several


def join(phrases: Sequence[str]) -> str:
    """The phrases in one: a; a and b; a, b and c."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


@dataclass(frozen=True)
class Wording:
    """How a domain's items are called."""

    one: str = "an item"
    several: str = "items"

    def tastes(self, facts: Sequence[Fact]) -> str:
        """Preferences as one noun phrase: "comedies and films by Woody Allen"."""
        keywords = [fact.value for fact in facts if fact.kind == KEYWORD]
        phrases = [self._taste(fact) for fact in facts if fact.kind != KEYWORD]
        return join(phrases + ([f"{self.several} that touch on {join(keywords)}"] if keywords else []))

    def _taste(self, fact: Fact) -> str:
        match fact.kind:
            case "genre":
                return _GENRES.get(fact.value, (f"{fact.value} {self.several}",))[0]
            case "director":
                return f"{self.several} by {fact.value}"
            case "cast":
                return f"{self.several} with {fact.value}"
            case "decade":
                return f"{self.several} from the {fact.value}"
            case _:
                return f"{fact.value} {self.several}"

    def kind(self, facts: Sequence[Fact]) -> str:
        """What kind of item it is, as a noun phrase: "a comedy from 1995", "a mix of crime and comedy"."""
        genres = [fact.value for fact in facts if fact.kind in (GENRE, CATEGORY)]
        years = [fact.value for fact in facts if fact.kind == YEAR]
        directors = [fact.value for fact in facts if fact.kind == DIRECTOR]
        if len(genres) == 1:
            noun = _GENRES.get(genres[0], ("", "", f"{self.one} of the kind {genres[0]}"))[2]
        else:
            noun = f"a mix of {join([self.substance(genre) for genre in genres])}" if genres else self.one
        by = f" by {join(directors)}" if directors else ""
        return f"{noun}{f' from {years[0]}' if years else ''}{by}"

    def substance(self, genre: str) -> str:
        """A genre as what an item is made of."""
        return _GENRES.get(genre, ("", genre))[1]

    def offers(self, facts: Sequence[Fact]) -> str:
        """What an item brings, as one noun phrase: "romance, Rob Reiner's direction and themes like friendship"."""
        by_kind = {kind: [fact.value for fact in facts if fact.kind == kind] for kind in {fact.kind for fact in facts}}
        phrases = [self.substance(genre) for genre in [*by_kind.get(GENRE, ()), *by_kind.get(CATEGORY, ())]]
        phrases += [f"{join(names)} as director" for names in [by_kind.get(DIRECTOR, ())] if names]
        phrases += [f"{join(names)} in the cast" for names in [by_kind.get(CAST, ())] if names]
        phrases += [f"themes like {join(words)}" for words in [by_kind.get(KEYWORD, ())] if words]
        return join(phrases)
