"""Sentence encoders for tests: one whose vectors count words, and a tiny random one in a Hugging Face folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from training.sentence_encoder import EncodedTexts, SentenceEncoder
from training.text_metrics import words_of

DIM = 64


class WordCounter(SentenceEncoder):
    """Every word is a dimension of its own: a token's vector is its word, a text's the sum of them."""

    def __init__(self) -> None:
        self.name = "word-counter"
        self._words: dict[str, int] = {}

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        tokens = tuple(self._tokens(text) for text in texts)
        sums = np.stack([each.sum(axis=0) for each in tokens])
        norms = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        return EncodedTexts((sums / norms).astype(np.float32), tokens)

    def _tokens(self, text: str) -> np.ndarray:
        rows = [self._words.setdefault(word, len(self._words)) for word in words_of(text)]
        return np.eye(DIM, dtype=np.float32)[rows]


def tiny_sentence_encoder(folder: Path) -> Path:
    """A random BERT with a token a byte; returns its folder."""
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: code for code, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([AddedToken("[CLS]", special=True), AddedToken("[SEP]", special=True)])
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder
