"""Text that is told while it is written."""

import asyncio

import numpy as np
import pytest
from tokenizers import Tokenizer

from model_store.prompt import open_tokenizer
from service.adapters.prompt_row import PromptRow
from tests.artifacts import tiny_language_model


@pytest.fixture
def tokenizer(tmp_path) -> Tokenizer:
    """One token a byte: every character beyond ASCII takes several."""
    tiny_language_model(tmp_path)
    return open_tokenizer(tmp_path)


async def _told(tokenizer: Tokenizer, token_ids: list[int]) -> tuple[list[str], str]:
    """The pieces in which these tokens are told, and the whole text."""
    pieces: list[str] = []
    answer = asyncio.get_running_loop().create_future()
    row = PromptRow(np.zeros((3, 4), np.float32), 99, 0.0, None, answer, pieces.append)
    for token_id in token_ids:
        row.append(token_id, tokenizer)
    row.finish("stop", tokenizer)
    return pieces, (await answer).text


async def test_no_piece_ends_within_a_character(tokenizer):
    """Two, three and four bytes long, one after the other: each is told when it is whole."""
    text = "é日本🎬 naïve🎬🎬"
    pieces, whole = await _told(tokenizer, tokenizer.encode(text).ids)
    assert pieces == list(text)
    assert whole == text


async def test_a_character_that_is_never_completed_is_told_as_the_whole_text_has_it(tokenizer):
    """Cut within its bytes: the pieces still make up the text."""
    pieces, whole = await _told(tokenizer, tokenizer.encode("so 🎬").ids[:-1])
    assert "".join(pieces) == whole
    assert whole.startswith("so ")


async def test_an_answer_without_a_token_tells_nothing(tokenizer):
    """No piece, an empty text."""
    assert await _told(tokenizer, []) == ([], "")
