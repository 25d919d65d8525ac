"""What the frozen LLM meets in training: the served prompt, and the reference text with an end."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store.prompt import open_tokenizer
from tests.training.workshops import CONFIG, ToyWorkshop, style_length, toy_workshop
from training.prompted import AS_SERVED, TOKENS_ONLY, Prompts


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> ToyWorkshop:
    return toy_workshop(Path(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def prompts(toy: ToyWorkshop) -> Prompts:
    return toy.workshop.prompts


@pytest.fixture(scope="module")
def read(toy: ToyWorkshop) -> Callable[[np.ndarray], str]:
    """The text of token ids, one a byte in the tiny LLM."""
    tokenizer = open_tokenizer(toy.workshop.language_model.folder)
    return lambda ids: str(tokenizer.decode(ids.tolist(), skip_special_tokens=False))


def test_the_target_is_the_reference_text_and_an_end(prompts, read):
    """Cut at `max_target_tokens`, then the end token; the LLM learns where to stop."""
    target = prompts.showing(0, TOKENS_ONLY).target_ids
    assert read(target[:-1]) == prompts.explanations.texts[0][: CONFIG.max_target_tokens]
    assert target[-1] == prompts.eos_token_id
    whole = replace(prompts, max_target_tokens=500).showing(0, TOKENS_ONLY).target_ids
    assert read(whole[:-1]) == prompts.explanations.texts[0]


def test_as_served_has_title_text_and_past_items_of_the_same_colour(prompts, read):
    """Three past titles, all of the item's colour and none the item itself."""
    item = prompts.known.item_of(int(prompts.explanations.items[0]))
    shown = read(prompts.showing(0, AS_SERVED).prompt.token_ids)
    assert f'Title: "{item.title}"' in shown
    assert f'About: "{item.about}"' in shown
    liked = shown.split('Liked before: "')[1].split('"')[0].split("; ")
    assert len(liked) == 3
    assert item.title not in liked
    assert {title.split()[1] for title in liked} == {item.title.split()[1]}


def test_tokens_only_tells_nothing_but_tokens(toy, prompts, read):
    """Neither title nor text nor past: the same prompt for every pair, with the same slots."""
    first, second = (prompts.showing(position, TOKENS_ONLY).prompt for position in (0, 1))
    np.testing.assert_array_equal(first.token_ids, second.token_ids)
    assert "Title" not in read(first.token_ids)
    assert {slot: where.stop - where.start for slot, where in first.slots.items()} == {
        "style": style_length(toy),
        "user": CONFIG.num_soft,
        "item": CONFIG.num_soft,
    }


def test_the_prompt_is_the_template_s_own(toy, prompts):
    """What the service renders of the same values is, id for id, what training reads."""
    explanations = prompts.explanations
    user_row, item_row = int(explanations.users[0]), int(explanations.items[0])
    history = prompts.known.histories.of(user_row)
    alike = [row for row in sorted(history.tolist()) if row != item_row][:3]  # all of one colour: ties by row
    item = prompts.known.item_of(item_row)
    titles = [prompts.known.item_of(row).title for row in alike]
    rendered = toy.workshop.template.render(title=item.title, text=item.about, history=titles)
    expected = prompts.encoder.encode(rendered)
    np.testing.assert_array_equal(prompts.showing(0, AS_SERVED).prompt.token_ids, expected.token_ids)
