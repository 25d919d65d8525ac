"""The prompts that ask for explanations, in the LLM's own chat markup."""

from __future__ import annotations

from typing import Final

from model_store.language_model_spec import ChatMarkup
from model_store.prompt import FieldSegment, PromptTemplate, Segment, SlotSegment, TextSegment

_QUESTION: Final = "Why would this user enjoy this item?"


def default_template(chat: ChatMarkup, *, style_length: int = 48, num_soft: int = 12) -> PromptTemplate:
    """The template for explanations: an example, as soft tokens, then the real question.

    The style's soft tokens stand where an example would (`example_template`): a frozen LLM takes its manner from there
    far better than from vectors among the instructions. `num_soft` are the soft tokens of each node.
    """
    return PromptTemplate(
        (
            TextSegment(f"{chat.before_system}You explain recommendations: why an item suits a user."),
            SlotSegment("style", style_length),
            *_about(chat, num_soft),
            FieldSegment("title", before='\nTitle: "', after='"', max_chars=120),
            FieldSegment("text", before='\nAbout: "', after='"', max_chars=220),
            FieldSegment("history", before='\nLiked before: "', after='"', max_chars=160),
            TextSegment(f"\n{_QUESTION}{chat.before_answer}"),
        )
    )


def example_template(chat: ChatMarkup, *, answer_length: int, num_soft: int) -> PromptTemplate:
    """The example that the style starts as: a pair's own soft tokens, the question, and an answer in slot "style"."""
    asked = TextSegment(f"\n{_QUESTION}{chat.before_answer}")
    return PromptTemplate((*_about(chat, num_soft), asked, SlotSegment("style", answer_length)))


def _about(chat: ChatMarkup, num_soft: int) -> tuple[Segment, ...]:
    user = (TextSegment(f"{chat.before_user}User:"), SlotSegment("user", num_soft))
    return (*user, TextSegment("\nItem:"), SlotSegment("item", num_soft))
