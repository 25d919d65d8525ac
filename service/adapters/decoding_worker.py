"""The thread that decodes: it owns the model and runs all prompts side by side, each joining at the next token.

The event loop never waits for a matrix product, and sixteen callers share one pass over the weights. The same thread
loads the model, because a second thread that has once computed with OpenMP makes libgomp put workers to sleep between
all operations when there are more of them than cores (measured: 31 instead of 23 ms a token).
"""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import torch
from tokenizers import Tokenizer
from torch import Tensor

from service.adapters.decoder import Decoder
from service.adapters.judgement import Judgement
from service.adapters.prompt_row import PromptRow
from service.errors import LanguageModelUnavailable, Overloaded
from service.telemetry import Telemetry

log = logging.getLogger(__name__)


class DecodingWorker:
    """Writes to rows until they end or their callers leave."""

    def __init__(
        self,
        load: Callable[[], Decoder],
        *,
        tokenizer: Tokenizer,
        eos_token_ids: Collection[int],
        max_waiting: int,
        telemetry: Telemetry,
    ) -> None:
        """Returns when the model is loaded; raises what loading raised (OSError, ValueError, RuntimeError)."""
        self._tokenizer = tokenizer
        self._eos_token_ids = eos_token_ids
        self._max_waiting = max_waiting
        self._telemetry = telemetry
        self._waiting: deque[PromptRow] = deque()
        self._judgements: deque[Judgement] = deque()
        self._judged: Judgement | None = None
        self._rows: list[PromptRow] = []
        self._closing = False
        self._changed = threading.Condition()
        loaded: Future[Decoder] = Future()
        self._thread = threading.Thread(target=self._live, args=(load, loaded), name="language-model", daemon=True)
        self._thread.start()
        self.decoder = loaded.result()

    @property
    def lives(self) -> bool:
        """Whether it still takes rows."""
        return self._thread.is_alive()

    @property
    def busy(self) -> bool:
        """Whether it has prompts to read or rows to write."""
        return bool(self._rows or self._waiting or self._judged or self._judgements)

    def submit(self, rows: list[PromptRow]) -> None:
        """Take all of these rows. Raises LanguageModelUnavailable once closed, Overloaded when the queue is full."""
        with self._room_for(len(rows)):
            self._waiting.extend(rows)

    def judge(self, judgement: Judgement) -> None:
        """Take this question, as `submit`. It needs no slot: a batch of it is read between two tokens of the rows."""
        with self._room_for(len(judgement.prompts)):
            self._judgements.append(judgement)

    def close(self) -> None:
        """Give up all rows and end the thread; waits for it."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    @contextmanager
    def _room_for(self, prompts: int) -> Iterator[None]:
        with self._changed:
            if self._closing:
                raise LanguageModelUnavailable("it has been closed")
            self._waiting = deque(row for row in self._waiting if not row.over)  # a caller who left holds no place
            self._judgements = deque(judgement for judgement in self._judgements if not judgement.over)
            if self._num_waiting + prompts > self._max_waiting:
                raise Overloaded("the language model")
            yield
            self._changed.notify()

    @property
    def _num_waiting(self) -> int:
        return len(self._waiting) + sum(len(judgement.prompts) for judgement in self._judgements)

    # ------------------------------------------------------------ in the thread

    def _live(self, load: Callable[[], Decoder], loaded: "Future[Decoder]") -> None:
        try:
            self.decoder = load()
            loaded.set_result(self.decoder)
        except (OSError, ValueError, RuntimeError) as error:  # for the constructor to raise
            loaded.set_exception(error)
            return
        finally:
            loaded.cancel()  # without effect on a settled one; after anything unforeseen nobody waits for ever
        self._work()

    def _work(self) -> None:
        while not self._closing:
            try:
                self._admit()
                self._advance()
            except (RuntimeError, MemoryError) as error:  # torch's own faults, out of memory among them
                log.exception("the language model failed; %d prompts are given up", len(self._rows))
                self._fail_all(type(error).__name__)
        self._fail_all("it has been closed")

    def _admit(self) -> None:
        """Wait until there is something to do (or it is time to go), give waiting rows their slots, take a question."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self.busy)
            self._drop_ended()  # before others join: busy slots stay the first ones, new rows the last
            while self._waiting and len(self._rows) < self.decoder.slots:
                row = self._waiting.popleft()
                if not row.over:  # a caller who left while waiting needs no slot
                    row.admit()
                    self._rows.append(row)
            while self._judgements and self._judged is None:
                judgement = self._judgements.popleft()
                self._judged = None if judgement.over else judgement
            judged = len(self._judged.prompts) if self._judged else 0
            waiting = self._num_waiting
        self._telemetry.observe_step(len(self._rows) + judged, waiting)

    def _advance(self) -> None:
        """One token for every row; the new ones are read in after the old ones' step, then a batch to be judged."""
        old = [row for row in self._rows if row.token_ids]
        if old:
            logits = self.decoder.step([row.token_ids[-1] for row in old], [row.cached for row in old])
            self._write(old, logits)
        for slot, row in enumerate(self._rows):
            if not (row.token_ids or row.over):
                self._write([row], self.decoder.prefill(slot, row.prompt_embeds)[None])
        if self._judged and self._answered(self._judged):
            self._judged = None

    def _answered(self, judgement: Judgement) -> bool:
        """Read a batch of it; whether that was the end. What fails here, as for want of memory, fails alone."""
        try:
            return judgement.over or judgement.advance(self.decoder.first_logits)
        except (RuntimeError, MemoryError) as error:
            log.exception("%d prompts could not be judged", len(judgement.prompts))
            judgement.settle(LanguageModelUnavailable(type(error).__name__))
            return True

    def _drop_ended(self) -> None:
        """Take out rows that ended or whose caller left; the last row moves into the gap."""
        for slot in reversed(range(len(self._rows))):
            if not self._rows[slot].over:
                continue
            last = self._rows.pop()
            if slot < len(self._rows):
                self.decoder.move(len(self._rows), slot, max(0, last.cached))
                self._rows[slot] = last

    def _write(self, rows: list[PromptRow], logits: Tensor) -> None:
        best, choices = logits.max(-1)
        for row, value, greedy, row_logits in zip(rows, best.tolist(), choices.tolist(), logits, strict=True):
            if not math.isfinite(value):  # NaN wins every maximum, so one look at it covers all the logits
                row.settle(LanguageModelUnavailable("it computed values that are not finite"))
                row.finish_reason = "stop"
                continue
            token_id = greedy if row.temperature <= 0 else _sampled(row_logits, row.temperature, row.generator)
            if token_id in self._eos_token_ids:
                row.finish("stop", self._tokenizer)
                continue
            row.append(token_id, self._tokenizer)
            if len(row.token_ids) >= row.max_tokens:
                row.finish("length", self._tokenizer)

    def _fail_all(self, reason: str) -> None:
        with self._changed:
            lost: list[PromptRow | Judgement] = [*self._rows, *self._waiting, *self._judgements]
            lost += [self._judged] if self._judged else []
            self._rows, self._judged = [], None
            self._waiting.clear()
            self._judgements.clear()
        for asked in lost:
            asked.settle(LanguageModelUnavailable(reason))


def _sampled(logits: Tensor, temperature: float, generator: torch.Generator | None) -> int:
    return int(torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator))
