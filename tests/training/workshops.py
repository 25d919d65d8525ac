"""A toy workshop: the checkerboard with its explanations, codes by colour, and a tiny LLM."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model_store.behavior_tokenizer import SideTokenizer
from model_store.embeddings import NodeEmbeddings
from model_store.prompt import SlotSegment
from model_store.quantizer import MacroQuantizer, MicroQuantizer
from model_store.vocabulary import CodeMeaning, Vocabulary
from tests.artifacts import HIDDEN_SIZE, NUM_SOFT, random_soft_tokens, tiny_language_model
from tests.training.graphs import COLOURS, NUM_ITEMS, NUM_USERS, colours, write_checkerboard
from training.config import DataConfig, ProjectorConfig, RunConfig
from training.data import Rows
from training.fetch_language_model import FetchedLanguageModel
from training.lesson import Lesson
from training.prepare import Prepared, prepare
from training.projector import Projector
from training.run_log import Log, no_log
from training.token_source import TokenSource
from training.train_tokenizer import TrainedTokenizer
from training.workshop import Workshop

CODEBOOK_SIZE = 4
CONFIG = ProjectorConfig(
    width=8,
    num_examples=1,
    num_style=2,
    num_soft=NUM_SOFT,
    max_steps=6,
    batch_size=4,
    checkpoint_steps=2,
    max_target_tokens=24,
    dtype="float32",
)
NAMES = ("red", "blue")


class ToyWorkshop(NamedTuple):
    """What the stages after the tokenizer work with."""

    data: Prepared
    tokenizer: TrainedTokenizer
    workshop: Workshop


def toy_workshop(folder: Path, config: ProjectorConfig = CONFIG) -> ToyWorkshop:
    """Macro code 0 is red, 1 is blue; micro codes are random. Explanations: "You like red, and this is red."."""
    prepared = prepare(RunConfig(name="toy", data=DataConfig(reader="tabular")), write_checkerboard(folder / "data"))

    spec = tiny_language_model(folder / "llm")
    tokenizer = toy_tokenizer(prepared.dataset.user_ids.to_rows([f"u{row}" for row in range(NUM_USERS)]))
    fetched = FetchedLanguageModel(folder / "llm", spec)
    return ToyWorkshop(prepared, tokenizer, Workshop.of(prepared, tokenizer, fetched, config))


def toy_projector(toy: ToyWorkshop, config: ProjectorConfig = CONFIG, seed: int = 0) -> Projector:
    """Untrained."""
    lesson = toy_lesson(toy, config, seed)
    return lesson.untrained(lesson.start)


def toy_lesson(toy: ToyWorkshop, config: ProjectorConfig = CONFIG, seed: int = 0, log: Log = no_log) -> Lesson:
    """What a projector and its controls learn of the toy."""
    return Lesson(toy.workshop, toy.data, toy.tokenizer, config, seed, "tokens", log)


def toy_source(toy: ToyWorkshop) -> TokenSource:
    """Soft tokens as an untrained projector has them."""
    return TokenSource(toy_projector(toy).exported(), toy.tokenizer.user_codes, toy.tokenizer.item_codes)


def style_length(toy: ToyWorkshop) -> int:
    """Positions of the template's style."""
    segments = toy.workshop.template.segments
    return sum(part.length for part in segments if isinstance(part, SlotSegment) and part.slot == "style")


class ColourSource(TokenSource):
    """Every value of a node's soft tokens is its macro code, or `always` where that is given."""

    def __init__(self, toy: ToyWorkshop, always: int | None = None) -> None:
        tokens = random_soft_tokens(0, num_style=style_length(toy))
        super().__init__(tokens, toy.tokenizer.user_codes, toy.tokenizer.item_codes)
        object.__setattr__(self, "always", always)

    def soft(self, user_rows: Rows, item_rows: Rows) -> dict[str, Tensor]:
        """Shapes as of TokenSource."""
        macro = {"user": self.user_codes[user_rows, 0], "item": self.item_codes[item_rows, 0]}
        shape = (-1, CONFIG.num_soft, HIDDEN_SIZE)
        found = {slot: torch.from_numpy(codes.astype(np.float32))[:, None, None] for slot, codes in macro.items()}
        if (always := vars(self)["always"]) is not None:
            found = {slot: torch.full_like(codes, always) for slot, codes in found.items()}
        style = torch.zeros(len(user_rows), len(self.tokens.style), HIDDEN_SIZE)
        return {"style": style, **{slot: codes.expand(shape) for slot, codes in found.items()}}


def toy_tokenizer(user_rows: np.ndarray) -> TrainedTokenizer:
    """Codes by colour; `user_rows` are the data set's rows of users u0, u1, ..., whose ids sort as texts."""
    rng = np.random.default_rng(0)
    macro = np.zeros((CODEBOOK_SIZE, COLOURS), np.float32)
    macro[:COLOURS] = np.eye(COLOURS)
    macro[COLOURS:] = 10
    micro = rng.normal(0, 0.1, (5, CODEBOOK_SIZE, COLOURS)).astype(np.float32)
    side = SideTokenizer(MacroQuantizer(macro), MicroQuantizer(micro))
    item_colours, user_colours = colours(NUM_ITEMS), np.empty(NUM_USERS, np.int64)
    user_colours[user_rows] = colours(NUM_USERS)
    eye, texts = np.eye(COLOURS, dtype=np.float32), np.zeros((NUM_ITEMS, 0), np.float32)
    embeddings = NodeEmbeddings(eye[user_colours], eye[item_colours], texts, np.full(NUM_ITEMS, 18), eye)
    micro_codes = [rng.integers(0, CODEBOOK_SIZE, (count, 5)) for count in (NUM_USERS, NUM_ITEMS)]
    user_codes, item_codes = (
        np.column_stack([macro_codes, fine]).astype(np.uint16)
        for macro_codes, fine in zip((user_colours, item_colours), micro_codes, strict=True)
    )
    return TrainedTokenizer(embeddings, side, side, user_codes, item_codes, toy_vocabulary())


def toy_vocabulary() -> Vocabulary:
    """The macro codes are named by their colours, the micro codes by a word each; unused codes have no name."""
    named = tuple(CodeMeaning((name,)) for name in NAMES) + (CodeMeaning(),) * (CODEBOOK_SIZE - COLOURS)
    micro = tuple(tuple(CodeMeaning((f"{level}of{code}",)) for code in range(CODEBOOK_SIZE)) for level in range(5))
    return Vocabulary((named, *micro), (named, *micro))
