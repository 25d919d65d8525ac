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


def until_repetition(text: str, titles: Sequence[str]) -> str | None:
    """The text before its first sentence that repeats; None when that is the first one.

    A sentence repeats when it joins a phrase to itself ("politics and politics") or has six words in a row that came
    before. `titles` may be named as often as wanted: each counts as one word.
    """
    said: set[tuple[str, ...]] = set()
    start = 0
    for end in [*(match.end() for match in SENTENCE_END.finditer(text)), len(text)]:
        sentence = _titles_as_words(text[start:end], titles)
        if _joins_a_phrase_to_itself(sentence) or _says_again(sentence, said):
            return text[:start].rstrip() or None
        start = end
    return text


def _titles_as_words(text: str, titles: Sequence[str]) -> str:
    """Longest first, since one title may be the beginning of another."""
    plain = {_YEAR.sub("", title) for title in titles} - {""}
    for number, title in enumerate(sorted(plain, key=len, reverse=True)):
        text = re.sub(rf"(?<!\w){re.escape(title)}(?!\w)", f"title{number}", text, flags=re.IGNORECASE)
    return text


def _joins_a_phrase_to_itself(sentence: str) -> bool:
    return any(match[1].lower() not in _EMPHASIS for match in _JOINED.finditer(sentence))


def _says_again(sentence: str, said: set[tuple[str, ...]]) -> bool:
    """Whether it has words in a row that were said; they are said from now on."""
    words = [word.lower() for word in _WORD.findall(sentence)]
    for start in range(len(words) - _WORDS_IN_A_ROW + 1):
        run = tuple(words[start : start + _WORDS_IN_A_ROW])
        if run in said:
            return True
        said.add(run)
    return False
