"""Where the style begins: the soft tokens before every pair's own, which teach the frozen LLM the texts' manner.

It begins as examples: the soft tokens of a training pair, the question, the pair's explanation. So the LLM sees from
the first step on how words of soft tokens come up in an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, islice

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from model_store.embeddings import Vectors
from model_store.language_model_spec import ChatMarkup
from model_store.prompt import EncodedPrompt, PromptEncoder, embed_prompt
from model_store.templates import example_template
from model_store.token_embeddings import TokenEmbeddings

MOST_TYPICAL = 2000
"""Texts among which one of the wanted length is looked for."""


def examples_of(
    texts: Sequence[str], count: int, length: int, encoder: PromptEncoder, said: Callable[[int], int]
) -> list[int]:
    """Which of the texts the style begins as: of typical ones that are so many tokens long, those that say most.

    Typical is what uses the words that most of them use; `said` tells how much of a text's soft tokens is in it. The
    most typical of other lengths where too few are so long; the same again where there are too few texts.
    """
    counted = CountVectorizer(binary=True, token_pattern=r"\S+").fit_transform(texts)
    typical = np.argsort(-(counted @ np.asarray(counted.mean(axis=0)).ravel()), kind="stable")[:MOST_TYPICAL].tolist()
    fitting = [row for row in typical if len(encoder.encode_text(texts[row], trusted=False)) == length]
    ordered = [*sorted(fitting, key=said, reverse=True), *typical]
    first_of: dict[str, int] = {}
    for row in ordered:
        first_of.setdefault(texts[row], row)
    return list(islice(cycle(first_of.values()), count))


def example_prompt(encoder: PromptEncoder, chat: ChatMarkup, answer_length: int, num_soft: int) -> EncodedPrompt:
    """The positions of one example."""
    return encoder.encode(example_template(chat, answer_length=answer_length, num_soft=num_soft).render())


def example_start(
    text: str, tokens: Sequence[Vectors], example: EncodedPrompt, encoder: PromptEncoder, table: TokenEmbeddings
) -> Vectors:
    """Vectors of an example, (num_positions, hidden): this text and its pair's soft tokens.

    A text of another length than the example's answer is cut or repeated to fit. Shapes: tokens (num_soft, hidden)
    of the user and of the item.
    """
    ids, (user, item) = encoder.encode_text(text, trusted=False), tokens
    place = example.slots["style"]
    answer = table.rows([ids[position % len(ids)] for position in range(place.stop - place.start)])
    return embed_prompt(example, table, {"user": user, "item": item, "style": answer})
