"""From an item and soft tokens to `prompt_embeds`: template, untrusted text made safe, embedding.

Titles, texts and histories are untrusted. Two independent walls keep them from speaking in the LLM's markup:
`neutralise` leaves no bracket or bar to write markup with, and `PromptEncoder` tokenises untrusted text with a
tokenizer that knows no added tokens at all, and drops their ids should the vocabulary still yield one.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from model_store.errors import ArtifactCorrupt, ArtifactIncompatible
from model_store.language_model_spec import TOKENIZER
from model_store.token_embeddings import TokenEmbeddings
from model_store.types import EmbedsPart, Prompt, Slot, TextPart

FieldName = Literal["title", "text", "history"]

_BREAKERS: Final = str.maketrans({"<": "(", ">": ")", "[": "(", "]": ")", "{": "(", "}": ")", "|": "/", '"': "'"})
"""Markup is written with these (`<|im_end|>`, `[INST]`, `{{ }}`); the quote closes the template's own quotation."""
_RAW_CHARS: Final = 8
"""Characters of raw text looked at for each that may stay: bounds the work on hostile megabytes."""
_PLACEHOLDER_ID: Final = 0


def neutralise(text: str, *, max_chars: int = 400) -> str:
    """Untrusted text as one line of plain words, at most `max_chars` characters; cut at a word where possible.

    Control, format, surrogate and unassigned characters go first: invisible ones could split or hide markup.
    Compatibility forms are folded next (NFKC), so that look-alikes such as full-width brackets meet the same fate.
    """
    spaced = " ".join(text[: _RAW_CHARS * max_chars].split())
    visible = "".join(char for char in spaced if unicodedata.category(char)[0] != "C")
    folded = unicodedata.normalize("NFKC", visible)
    line = " ".join(folded.translate(_BREAKERS).split())
    if len(line) <= max_chars:
        return line
    cut = line[: max_chars - 3]
    word_end = cut.rfind(" ")
    return (cut[:word_end] if word_end > max_chars // 2 else cut) + "..."


@dataclass(frozen=True)
class TextSegment:
    """Trusted text of the template itself; may hold the LLM's special tokens."""

    text: str


@dataclass(frozen=True)
class SlotSegment:
    """`length` positions for soft tokens."""

    slot: Slot
    length: int


@dataclass(frozen=True)
class FieldSegment:
    """An untrusted value between two trusted texts; left out together with them where the value is empty."""

    field: FieldName
    before: str
    after: str
    max_chars: int


Segment = TextSegment | SlotSegment | FieldSegment
_SEGMENTS: Final[Mapping[str, type[Segment]]] = {"text": TextSegment, "slot": SlotSegment, "field": FieldSegment}


@dataclass(frozen=True)
class PromptTemplate:
    """The order of constant text, soft token slots and untrusted fields. No slot occurs twice.

    Constant segments come first: vLLM's prefix cache hits on byte-identical leading embeddings only.
    """

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        slots = [segment.slot for segment in self.segments if isinstance(segment, SlotSegment)]
        assert len(slots) == len(set(slots)), f"a slot occurs twice: {slots}"

    def render(self, *, title: str | None = None, text: str | None = None, history: Sequence[str] = ()) -> Prompt:
        """The prompt for these untrusted values; what is None or empty is left out. `history`: titles, best first."""
        values: dict[FieldName, tuple[str, ...]] = {
            "title": (title or "",),
            "text": (text or "",),
            "history": tuple(history),
        }
        parts: list[TextPart | EmbedsPart] = []
        for segment in self.segments:
            match segment:
                case TextSegment(trusted):
                    parts.append(TextPart(trusted, trusted=True))
                case SlotSegment(slot, length):
                    parts.append(EmbedsPart(slot, length))
                case FieldSegment(field, before, after, max_chars):
                    parts += _field_parts(_joined(values[field], max_chars), before, after)
        return Prompt(tuple(parts))

    def to_json(self) -> dict[str, Any]:
        """Plain values, fit for `json.dumps`."""
        kinds = {segment_type: kind for kind, segment_type in _SEGMENTS.items()}
        return {"segments": [{"kind": kinds[type(segment)], **vars(segment)} for segment in self.segments]}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> PromptTemplate:
        """The template that `to_json` wrote. Raises ArtifactIncompatible for anything else."""
        try:
            entries = [dict(entry) for entry in found["segments"]]
            return cls(tuple(_SEGMENTS[entry.pop("kind")](**entry) for entry in entries))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactIncompatible("prompt template", f"segments of kind {sorted(_SEGMENTS)}", error) from error


@dataclass(frozen=True, eq=False)
class EncodedPrompt:
    """A prompt as token ids. Shapes: token_ids (seq,) int64; at `slots` positions they are placeholders."""

    token_ids: NDArray[np.int64]
    slots: Mapping[Slot, slice]


class PromptEncoder:
    """Prompts to token ids, each part tokenised on its own, so that no text can move another part's boundaries."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._trusted = tokenizer
        self._untrusted, self._forbidden = _without_added_tokens(tokenizer)
        self._constant: dict[str, list[int]] = {}  # the template's own few texts: tokenised once

    @classmethod
    def open(cls, folder: Path) -> PromptEncoder:
        """The encoder of the tokenizer.json in a Hugging Face folder. Raises ArtifactCorrupt."""
        return cls(open_tokenizer(folder))

    def encode(self, prompt: Prompt) -> EncodedPrompt:
        """Token ids and where the slots are. Untrusted text yields no id of an added (special) token, ever."""
        token_ids: list[int] = []
        slots: dict[Slot, slice] = {}
        for part in prompt.parts:
            if isinstance(part, EmbedsPart):
                slots[part.slot] = slice(len(token_ids), len(token_ids) + part.length)
                token_ids += [_PLACEHOLDER_ID] * part.length
            else:
                token_ids += self.encode_text(part.text, trusted=part.trusted)
        return EncodedPrompt(np.array(token_ids, np.int64), slots)

    def encode_text(self, text: str, *, trusted: bool) -> list[int]:
        """Token ids of one stretch of text; markup in it is obeyed only where it is trusted."""
        if not trusted:
            encoding = self._untrusted.encode(text, add_special_tokens=False)
            return [token_id for token_id in encoding.ids if token_id not in self._forbidden]
        if text not in self._constant:
            self._constant[text] = self._trusted.encode(text, add_special_tokens=False).ids
        return self._constant[text]


def embed_prompt(
    encoded: EncodedPrompt, token_embeddings: TokenEmbeddings, soft: Mapping[Slot, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The prompt's input embeddings, (seq, hidden_size) float32, every value finite.

    Shapes: soft[slot] (length of the slot, hidden_size), one for each slot of the prompt.
    """
    embeds = token_embeddings.rows(encoded.token_ids)
    for slot, where in encoded.slots.items():
        expected = (where.stop - where.start, token_embeddings.hidden_size)
        assert soft[slot].shape == expected, f"soft tokens of {slot}: expected {expected}, found {soft[slot].shape}"
        embeds[where] = soft[slot]
    assert np.isfinite(embeds).all(), "prompt embeddings must be finite: one NaN poisons a vLLM server"
    return embeds


def open_tokenizer(folder: Path) -> Tokenizer:
    """The fast tokenizer of a Hugging Face folder. Raises ArtifactCorrupt."""
    path = folder / TOKENIZER
    try:
        definition = path.read_text(encoding="utf-8")
        json.loads(definition)  # the Rust reader below raises a bare Exception: find out first, with a name
    except (OSError, ValueError) as error:
        raise ArtifactCorrupt(path, "a tokenizer", error) from error
    return Tokenizer.from_str(definition)


def _joined(values: Sequence[str], max_chars: int) -> str:
    """The values neutralised and joined, as many as fit into `max_chars`."""
    joined = ""
    for value in values:
        line = neutralise(value, max_chars=max_chars)
        longer = f"{joined}; {line}" if joined and line else joined or line
        if len(longer) > max_chars:
            break
        joined = longer
    return joined


def _field_parts(value: str, before: str, after: str) -> list[TextPart | EmbedsPart]:
    if not value:
        return []
    return [TextPart(before, trusted=True), TextPart(value, trusted=False), TextPart(after, trusted=True)]


def _without_added_tokens(tokenizer: Tokenizer) -> tuple[Tokenizer, frozenset[int]]:
    """The same tokenizer as if no token had ever been added to it, and the ids of those tokens."""
    definition = json.loads(tokenizer.to_str())
    forbidden = frozenset(int(token["id"]) for token in definition["added_tokens"])
    return Tokenizer.from_str(json.dumps({**definition, "added_tokens": [], "post_processor": None})), forbidden
