"""Lesson: what a projector and its controls learn alike, from which explanations and from which start."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from model_store.embeddings import Vectors
from model_store.soft_tokens import anchors
from training.anchor_terms import anchor_terms, no_terms
from training.anchor_words import Anchors, anchor_words
from training.config import ProjectorConfig
from training.prepare import Prepared
from training.progress import console, counted
from training.projector import Projector, SideStart, Start
from training.run_log import Log, losses_at, no_log
from training.stages import stage_key
from training.style import example_prompt, example_start, examples_of
from training.train_projector import CodedPairs, Step, train_projector
from training.train_tokenizer import TrainedTokenizer
from training.workshop import Workshop

PROJECTOR_FORMAT = 6
SHOWN_EVERY = 20


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learned from the training explanations of a data set; `inputs` is the key of the tokens."""

    workshop: Workshop
    data: Prepared
    tokenizer: TrainedTokenizer
    config: ProjectorConfig
    seed: int
    inputs: str
    log: Log = no_log
    """Hears of every step's losses."""

    @property
    def key(self) -> str:
        """Key of what it makes of a projector."""
        settings = {
            "projector": asdict(self.config),
            "template": self.workshop.template.to_json(),
            "seed": self.seed,
        }
        sha256 = self.workshop.language_model.spec.sha256
        return stage_key("projector", code_format=PROJECTOR_FORMAT, config=settings, inputs=[self.inputs, sha256])

    @cached_property
    def start(self) -> Start:
        """The style as an example, and the catalogue's words. Made once, and only where somebody learns."""
        found, t = self.anchors, self.tokenizer
        user, item = SideStart(np.array(t.user.addends), found.user), SideStart(np.array(t.item.addends), found.item)
        return Start(self._style(user, item), found.words, user, item)

    def _style(self, user: SideStart, item: SideStart) -> Vectors:
        """Typical training explanations that say most of their pair's anchor words, and these."""
        workshop, config, found = self.workshop, self.config, self.anchors
        positions, encoder = self.data.split.train_explanations, workshop.prompts.encoder
        texts = [workshop.prompts.explanations.texts[int(position)] for position in positions]

        def sums(row: int) -> tuple[Vectors, Vectors]:
            user_codes, item_codes = (codes.numpy() for codes in workshop.pairs.at(positions[row : row + 1]))
            return user.sums(user_codes), item.sums(item_codes)

        def shown(side: SideStart, vectors: Vectors) -> list[int]:
            best = side.keys.best(vectors, config.num_soft)
            return list(best[0, : found.words.fitting(best, config.num_soft)[0]].tolist())

        def said(row: int) -> int:
            best = [shown(side, each) for side, each in zip((user, item), sums(row), strict=True)]
            return sum(found.names[column].lower() in texts[row].lower() for column in {*best[0], *best[1]})

        def tokens(row: int) -> list[Vectors]:
            return [
                anchors(side.keys, found.words, each, config.num_soft)[0]
                for side, each in zip((user, item), sums(row), strict=True)
            ]

        example = example_prompt(encoder, workshop.language_model.spec.chat, config.num_style, config.num_soft)
        rows, table = (
            examples_of(texts, config.num_examples, config.num_style, encoder, said),
            workshop.embeddings(),
        )
        return np.concatenate([example_start(texts[row], tokens(row), example, encoder, table) for row in rows])

    @cached_property
    def anchors(self) -> Anchors:
        """The catalogue's words; none with `anchored` off, or where items say nothing."""
        items, t = self.data.dataset.items, self.tokenizer
        return anchor_words(
            anchor_terms(items) if self.config.anchored else no_terms(len(items)),
            self.data.split.train,
            (t.user.decode(t.user_codes), t.item.decode(t.item_codes)),
            self.workshop.prompts.encoder,
            self.workshop.embeddings(),
        )

    def untrained(self, start: Start) -> Projector:
        """A projector before its first step, seeded."""
        torch.manual_seed(self.seed)
        size = self.workshop.language_model.spec.embedding_rms
        return Projector(start, num_soft=self.config.num_soft, width=self.config.width, size=size)

    def teach(self, projector: Projector, pairs: CodedPairs, checkpoints: Path, name: str) -> list[list[float]]:
        """Losses of every step (NLL, alignment); the projector is trained in place, shown and logged while it lasts."""
        model = self.workshop.open_model(self.config.dtype)
        with counted(f"Training {name}", self.config.max_steps, "steps") as advance:

            def tell(step: Step) -> None:
                advance(1)
                if step.number % SHOWN_EVERY == 0 or step.number == 1:
                    console.print(f"     step {step.number}: NLL {step.nll:.3f}, alignment {step.alignment:.3f}")
                for point in losses_at(name, step.number, (step.nll, step.alignment)):
                    self.log(point)

            steps = train_projector(
                projector, model, self.workshop.prompts, pairs, self.data.split.train_explanations, self.config,
                self.seed, checkpoints=checkpoints, on_step=tell,
            )  # fmt: skip
        return [[step.nll, step.alignment] for step in steps]
