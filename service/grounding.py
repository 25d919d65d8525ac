"""What may be said: a template that is true by construction, and the check a generated text has to pass."""

from dataclasses import dataclass

from service.explanation import Evidence, RejectReason
from service.repetition import SENTENCE_END, without_repetition
from service.title_matcher import TitleMatcher
from service.types import Generation

_MAX_WORDS = 4
"""The coarse codes' words come first; the finest ones say little."""


@dataclass(frozen=True)
class Verdict:
    """`text` to show, None when nothing can be kept; `reason` why it is not the text as it came, else None."""

    text: str | None
    reason: RejectReason | None


def check(generation: Generation, title: str, evidence: Evidence, titles: TitleMatcher) -> Verdict:
    """The text with white space tidied; cut after its last whole sentence where it ran out of tokens.

    What it joins to itself is said once, and it ends before a sentence that repeats. Nothing of it is kept when it
    names a title of the catalogue that is neither the asked one nor in the evidence.
    """
    verdict = _whole_sentences(generation)
    if verdict.text is None:
        return verdict
    known = [title, *(past.title for past in evidence.past_items)]
    said = without_repetition(verdict.text, known)
    if said != verdict.text:
        verdict = Verdict(said, "repeats")
    if said is not None and titles.other(said, known) is not None:
        return Verdict(None, "other_title")
    return verdict


def tidied(text: str) -> str:
    """One line, single spaces."""
    return " ".join(text.split())


def _whole_sentences(generation: Generation) -> Verdict:
    text = tidied(generation.text)
    if not text:
        return Verdict(None, "empty")
    if generation.finish_reason == "stop":
        return Verdict(text, None)
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    if not ends:
        return Verdict(None, "breaks_off")
    return Verdict(text[: ends[-1]], None if ends[-1] == len(text) else "cut")


def template(title: str, evidence: Evidence) -> str:
    """One or two sentences about `title` that say nothing but the evidence."""
    sentences = []
    if evidence.past_items:
        sentences.append(
            f"{title} is close to {_listed([past.title for past in evidence.past_items])} in your history."
        )
    if evidence.shared_words:
        words = _listed(list(evidence.shared_words[:_MAX_WORDS]))
        sentences.append(f"What {title} shares with your taste: {words}.")
    if not sentences:
        sentences.append(f"Nothing in your history speaks for {title}.")
    return " ".join(sentences)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
