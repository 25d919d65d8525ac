"""Film titles of two catalogues brought together: normal forms, variants, and a match by title and year.

A film matches only where a normal form of its title and its year (one year apart at most) point at exactly one film,
as remakes share titles: of ML-100K's unmatched films 45 have a namesake from another year.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

YEARS_APART: Final = 1
"""Catalogues differ by one between first showing and release."""

_ARTICLES: Final = "The|A|An|La|Le|Les|L'|Il|Lo|I|El|Los|Las|Das|Der|Die|Den|Un|Une|O"
_SORTED_ARTICLE: Final = re.compile(rf"^(.+), ({_ARTICLES})$", re.IGNORECASE)
_IN_PARENTHESES: Final = re.compile(r"\(([^()]*)\)")
_NUMBERED_SEQUEL: Final = re.compile(r"^(.+?) (?:II|III|IV|V|VI|VII|VIII|\d)(: .+)$")
_MAKER: Final = re.compile(r"^(?:[A-Z][\w.]+ )?[A-Z]\w+'s (?=[A-Z])")


@dataclass(frozen=True)
class Film:
    """A film as one catalogue lists it: every title that it goes by, and its year."""

    titles: tuple[str, ...]
    year: int


def natural_title(title: str) -> str:
    """The title as one says it: "Blue Angel, The (Blaue Engel, Der)" -> "The Blue Angel"."""
    base = _IN_PARENTHESES.sub("", title).strip() or title.strip()
    moved = _SORTED_ARTICLE.match(base)
    if not moved:
        return base
    glue = "" if moved[2].endswith("'") else " "
    return f"{moved[2]}{glue}{moved[1]}"


def title_forms(title: str) -> list[str]:
    """Normal forms of a title and of the other titles in its parentheses, most faithful first."""
    others = (re.sub(r"^a\.?k\.?a\.? ", "", other, flags=re.IGNORECASE) for other in _IN_PARENTHESES.findall(title))
    spoken = [natural_title(form) for form in (title, *others)]
    looser = [loose for form in spoken for loose in _loosened(form)]
    return list(dict.fromkeys(form for form in map(normal_form, [*spoken, *looser]) if form))


def normal_form(title: str) -> str:
    """Lower case letters and digits in words: no accents, no punctuation, "&" and "+" read as "and"."""
    spaced = re.sub(r"(?<=\w)([\u00b2\u00b3\u00b9\u00bc-\u00be\u2150-\u215e])", r" \1", title)  # "Alien³", "33⅓"
    plain = unicodedata.normalize("NFKD", re.sub(r"[&+]", " and ", spaced)).replace("\u2044", "/").replace("¢", "c")
    letters = "".join(mark for mark in plain if not unicodedata.combining(mark))
    return " ".join(re.findall(r"[a-z0-9]+", re.sub(r"['\u2019`]", "", letters.lower())))


def match_films(wanted: Sequence[Film], known: Sequence[Film]) -> list[int | None]:
    """For each wanted film the position of the one known film with a title in common and about its year, or None."""
    shelf: dict[str, set[int]] = defaultdict(set)
    for position, film in enumerate(known):
        for form in {form for title in film.titles for form in title_forms(title)}:
            shelf[form].add(position)
    return [_match(film, known, shelf) for film in wanted]


def _match(film: Film, known: Sequence[Film], shelf: dict[str, set[int]]) -> int | None:
    for form in (form for title in film.titles for form in title_forms(title)):
        near = [at for at in shelf.get(form, ()) if abs(known[at].year - film.year) <= YEARS_APART]
        exact = [at for at in near if known[at].year == film.year]
        if len(exact or near) == 1:
            return (exact or near)[0]
        if near:
            return None  # two films of that name and time: better none than a wrong one
    return None


def _loosened(title: str) -> Iterator[str]:
    """What catalogues add or leave out: the maker's name in front, the number of a sequel that has a name."""
    maker = _MAKER.match(title)
    if maker:
        yield title[maker.end() :]
    numbered = _NUMBERED_SEQUEL.match(title)
    if numbered:
        yield f"{numbered[1]}{numbered[2]}"
