"""Reranking by an answer: what is asked, and what the order is worth."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model_store.prompt import EncodedPrompt
from model_store.rerank_prompt import answer_ids, rerank_template
from tests.training.workshops import CONFIG, ColourSource, ToyWorkshop, toy_workshop
from training.prompted import AS_SERVED, TOKENS_ONLY
from training.rerank import NUM_CANDIDATES, rerank_figures


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")))


class KnowsColours:
    """Says Yes where the user's macro token is the item's: it sees both tokens, as the LLM does."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.prompts: list[EncodedPrompt] = []
        self.token_ids: tuple[int, ...] = ()

    def next_token_logprobs(self, prompts, soft, token_ids):
        self.prompts += prompts
        self.token_ids = token_ids
        same = (soft["user"][:, 0] == soft["item"][:, 0]).all(dim=-1).float()
        return torch.stack([self.sign * same, torch.zeros(len(prompts))], dim=1)


def figures_of(toy, model):
    template = rerank_template(toy.workshop.language_model.spec.chat, num_soft=CONFIG.num_soft)
    return rerank_figures(ColourSource(toy), model, toy.workshop.prompts, template, toy.data.split, np.arange(5))


def test_whoever_says_yes_to_the_right_items_puts_them_first(toy):
    """Items of the user's colour go before all others, or after them for one who says the opposite."""
    knowing, contrary = (figures_of(toy, KnowsColours(sign)) for sign in (1, -1))
    assert knowing["users"] == 5
    assert knowing["candidates"] == NUM_CANDIDATES
    assert knowing["retrieved"] == contrary["retrieved"]
    assert knowing["reranked"]["ndcg@10"] >= knowing["random"]["ndcg@10"] > contrary["reranked"]["ndcg@10"]


def test_one_who_says_the_same_of_everything_changes_nothing(toy):
    """Equal answers keep the order in which candidates were retrieved."""
    figures = figures_of(toy, KnowsColours(0))
    assert figures["reranked"] == figures["retrieved"]
    assert figures["moved"] == 0


def test_the_question_names_item_and_answers(toy):
    """Each prompt holds both nodes' tokens and the candidate's title; Yes and No are asked for."""
    model = KnowsColours(1)
    figures_of(toy, model)
    assert len(model.prompts) == 5 * NUM_CANDIDATES
    assert {slot: where.stop - where.start for slot, where in model.prompts[0].slots.items()} == {
        "user": CONFIG.num_soft,
        "item": CONFIG.num_soft,
    }
    yes, no = answer_ids(toy.workshop.prompts.encoder)
    assert model.token_ids == (yes, no)
    assert yes != no


def test_log_probabilities_do_not_depend_on_the_batch(toy):
    """A prompt beside longer ones is answered as alone, and the vocabulary's probabilities add up to 1."""
    model, prompts = toy.workshop.open_model("float32"), toy.workshop.prompts
    rows = toy.data.split.train_explanations[:3]
    encoded = [prompts.showing(int(row), TOKENS_ONLY if row == rows[0] else AS_SERVED).prompt for row in rows]
    spec = toy.workshop.language_model.spec
    soft = {
        slot: torch.randn(3, where.stop - where.start, spec.hidden_size) for slot, where in encoded[0].slots.items()
    }
    every = range(spec.vocab_size)
    together = model.next_token_logprobs(encoded, soft, every)
    torch.testing.assert_close(together.exp().sum(1), torch.ones(3))
    alone = model.next_token_logprobs(encoded[:1], {slot: each[:1] for slot, each in soft.items()}, every)
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=1e-4)
