"""Texts that say the same thing again, as small language models do when they have nothing more to say."""

import re
from collections.abc import Sequence
from typing import Final

SENTENCE_END: Final = re.compile(r"[.!?\u2026][\"')\]\u201d\u2019]*(?=\s|$)")
_WORDS_IN_A_ROW: Final = 6
"""So many come twice where a whole statement does, and hardly anywhere else."""
_WORD: Final = re.compile(r"\w+(?:['\u2019-]\w+)*")
_JOINED: Final = re.compile(
    r"(?<![\w'\u2019-])(\w[\w'\u2019-]*(?: \w[\w'\u2019-]*){0,7})(?:,? (?:and|or)|,) \1(?![\w'\u2019-])", re.IGNORECASE
)
"""A phrase of up to eight words joined to itself: "politics and politics", "drama, drama"."""
_EMPHASIS: Final = frozenset({"again", "many", "more", "over", "really", "round", "through", "time", "very", "years"})
"""What English says twice on purpose: "again and again"."""
_YEAR: Final = re.compile(r"\s*\(\d{4}\)\s*$")


def without_repetition(text: str, titles: Sequence[str]) -> str | None:
    """The text before its first sentence that repeats, with what it joins to itself said once; None if nothing is left.

    "Politics and politics in general" becomes "politics in general". A sentence repeats when it has six words in a row
    that came before. `titles` may be named as often as wanted: each counts as one word.
    """
    plain = [re.compile(rf"(?<!\w){re.escape(title)}(?!\w)", re.IGNORECASE) for title in _longest_first(titles)]
    said: set[tuple[str, ...]] = set()
    kept: list[str] = []
    start = 0
    for end in [*(match.end() for match in SENTENCE_END.finditer(text)), len(text)]:
        sentence = _joined_once(text[start:end], plain)
        if _says_again(_titles_as_words(sentence, plain), said):
            break
        kept.append(sentence)
        start = end
    return "".join(kept).rstrip() or None


def _longest_first(titles: Sequence[str]) -> list[str]:
    """Without years, and with none before a longer title that it begins."""
    return sorted({_YEAR.sub("", title) for title in titles} - {""}, key=len, reverse=True)


def _joined_once(sentence: str, titles: Sequence[re.Pattern[str]]) -> str:
    """The sentence without the second of two phrases that are the same, as often as there are two."""
    named = [match.span() for title in titles for match in title.finditer(sentence)]
    for match in _JOINED.finditer(sentence):
        if match[1].lower() not in _EMPHASIS and not any(_cuts(match, *span) for span in named):
            return _joined_once(sentence[: match.end(1)] + sentence[match.end() :], titles)
    return sentence


def _cuts(match: re.Match[str], start: int, end: int) -> bool:
    """Whether a title that stands there is more than a part of one of the two phrases."""
    second = match.end() - len(match[1])
    outside = end <= match.start() or start >= match.end()
    return not (outside or (match.start() <= start and end <= match.end(1)) or (second <= start and end <= match.end()))


def _titles_as_words(text: str, titles: Sequence[re.Pattern[str]]) -> str:
    for number, title in enumerate(titles):
        text = title.sub(f"title{number}", text)
    return text


def _says_again(sentence: str, said: set[tuple[str, ...]]) -> bool:
    """Whether it has words in a row that were said; they are said from now on."""
    words = [word.lower() for word in _WORD.findall(sentence)]
    for start in range(len(words) - _WORDS_IN_A_ROW + 1):
        run = tuple(words[start : start + _WORDS_IN_A_ROW])
        if run in said:
            return True
        said.add(run)
    return False
