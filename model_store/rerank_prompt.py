"""The question by which a frozen LLM reranks: whether this user would enjoy this item, Yes or No."""

from __future__ import annotations

from model_store.language_model_spec import ChatMarkup
from model_store.prompt import FieldSegment, PromptEncoder, PromptTemplate, SlotSegment, TextSegment

ANSWERS = ("Yes", "No")


def rerank_template(chat: ChatMarkup, *, num_soft: int) -> PromptTemplate:
    """The template for one candidate, in the LLM's own chat markup; its next token is the answer.

    `num_soft` are the soft tokens of each node.
    """
    return PromptTemplate(
        (
            TextSegment(
                f"{chat.before_system}You decide whether an item suits a user. You answer Yes or No."
                f"{chat.before_user}User:"
            ),
            SlotSegment("user", num_soft),
            FieldSegment("history", before='\nLiked before: "', after='"', max_chars=160),
            TextSegment("\nItem:"),
            SlotSegment("item", num_soft),
            FieldSegment("title", before='\nTitle: "', after='"', max_chars=120),
            FieldSegment("text", before='\nAbout: "', after='"', max_chars=220),
            TextSegment(f"\nWould this user enjoy this item? Yes or No?{chat.before_answer}"),
        )
    )


def answer_ids(encoder: PromptEncoder) -> tuple[int, int]:
    """The first token of each answer, as it follows the template. The logarithm of their odds ranks."""
    yes, no = (encoder.encode_text(answer, trusted=False)[0] for answer in ANSWERS)
    return yes, no
