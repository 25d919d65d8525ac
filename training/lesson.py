"""Lesson: what a projector and its controls learn alike, from which explanations and from which start."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from training.anchor_terms import AnchorTerms
from training.anchor_words import Anchors, anchor_words
from training.config import ProjectorConfig
from training.prepare import Prepared
from training.progress import console, counted
from training.projector import Projector, SideStart, Start
from training.run_log import Log, losses_at, no_log
from training.stages import stage_key
from training.style import style_start
from training.train_projector import CodedPairs, Step, train_projector
from training.train_tokenizer import TrainedTokenizer, history_matrix
from training.workshop import Workshop

PROJECTOR_FORMAT = 4
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
        """The style at a typical explanation, and the catalogue's words. Made once, and only where somebody learns."""
        every = self.workshop.prompts.explanations.texts
        texts = [every[int(position)] for position in self.data.split.train_explanations]
        style = style_start(texts, self.config.num_style, self.workshop.prompts.encoder, self.workshop.embeddings())
        found, t = self.anchors, self.tokenizer
        user, item = SideStart(np.array(t.user.addends), found.user), SideStart(np.array(t.item.addends), found.item)
        return Start(style, found.words, user, item)

    @cached_property
    def anchors(self) -> Anchors:
        """The catalogue's words; none with `anchored` off, or where items say nothing."""
        dataset, t, spec = self.data.dataset, self.tokenizer, self.workshop.language_model.spec
        items = dataset.items
        return anchor_words(
            AnchorTerms.of_items(items) if self.config.anchored else AnchorTerms.none(len(items)),
            history_matrix(self.data.split.train, dataset.num_users, dataset.num_items),
            (t.user.decode(t.user_codes), t.item.decode(t.item_codes)),
            self.workshop.prompts.encoder,
            self.workshop.embeddings(),
            length=spec.embedding_rms * float(np.sqrt(spec.hidden_size)),
            least=self.config.num_soft,
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
