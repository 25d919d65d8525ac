"""A whole, valid, published toy artifact whose right answers follow from its making: a checkerboard.

Eight users and twelve items in two colours. Even rows are red, odd rows blue; a user likes four of the six items of
the own colour and none of the other. So the best two unseen items of a user are the two left out (`unseen_rows`), and
macro code 0 is red, 1 is blue, on both sides.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from model_store import (
    ArtifactParts,
    BehaviorTokenizer,
    Catalog,
    ChatMarkup,
    CodeMeaning,
    Histories,
    IdMap,
    Item,
    LanguageModelSpec,
    MacroQuantizer,
    MicroQuantizer,
    ModelStore,
    NodeEmbeddings,
    SideReader,
    SideTokenizer,
    SoftTokens,
    Vocabulary,
    WordKeys,
    default_template,
)
from model_store.anchor_words import AnchorWords
from model_store.tensor_file import save_tensors

NUM_USERS, NUM_ITEMS = 8, 12
HIDDEN_SIZE = 16
CODEBOOK_SIZE = 4
NUM_STYLE = 12
NUM_SOFT = 5
COLOURS = ("red", "blue")
USER_IDS = tuple(f"user-{row}" for row in range(NUM_USERS))
ITEM_IDS = tuple(100 + row for row in range(NUM_ITEMS))
CHAT = ChatMarkup(
    before_system="<|im_start|>system\n",
    before_user="<|im_end|>\n<|im_start|>user\n",
    before_answer="<|im_end|>\n<|im_start|>assistant\n",
)
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def colour_of(row: int) -> str:
    """A user's or an item's colour."""
    return COLOURS[row % 2]


def unseen_rows(user_row: int) -> tuple[int, int]:
    """The two items of the user's colour that the user has not had, best first."""
    left_out = (user_row // 2, user_row // 2 + 1)
    return left_out[0] * 2 + user_row % 2, left_out[1] * 2 + user_row % 2


def history_rows(user_row: int) -> list[int]:
    """The four items of the user's colour that the user has had."""
    return [row for row in range(user_row % 2, NUM_ITEMS, 2) if row not in unseen_rows(user_row)]


def tiny_artifact(store_root: Path, **changes: object) -> str:
    """Publish the checkerboard with its tiny LLM as `latest`. Returns the version; `changes` replace parts."""
    store = ModelStore(store_root)
    downloaded = store_root.with_name(f"{store_root.name}-downloaded-llm")
    spec = tiny_language_model(downloaded)
    store.add_language_model(downloaded, spec)
    return store.publish(replace(tiny_parts(spec), **changes), extra_files={"report.json": b"{}"})  # type: ignore[arg-type]


def tiny_parts(language_model: LanguageModelSpec) -> ArtifactParts:
    """The checkerboard, ready to be published."""
    users, items = np.array([(u, i) for u in range(NUM_USERS) for i in history_rows(u)]).T
    degree = np.bincount(items, minlength=NUM_ITEMS)
    embeddings = _embeddings(degree)
    tokenizer = BehaviorTokenizer(_side_tokenizer(), _side_tokenizer(), embeddings)
    item_vectors = np.stack([embeddings.joint_item(row) for row in range(NUM_ITEMS)])
    histories = [history_rows(row) for row in range(NUM_USERS)]
    return ArtifactParts(
        dataset="checkerboard",
        config={"graph": {"dim": 4}, "seed": 0},
        metrics={"recall_at_20": 1.0},
        language_model=language_model,
        prompt_template=default_template(CHAT, style_length=NUM_STYLE, num_soft=NUM_SOFT).to_json(),
        user_ids=IdMap.from_ids(USER_IDS, kind="user"),
        catalog=Catalog.from_items(IdMap.from_ids(ITEM_IDS, kind="item"), [_item(r) for r in range(NUM_ITEMS)], degree),
        histories=Histories.from_pairs(users, items, NUM_USERS),
        embeddings=embeddings,
        tokenizer=tokenizer,
        user_codes=np.array([tokenizer.tokens_of_history(rows).codes for rows in histories], np.uint16),
        item_codes=tokenizer.item.encode(item_vectors),
        soft_tokens=random_soft_tokens(2),
        vocabulary=_vocabulary(),
    )


def tiny_language_model(folder: Path) -> LanguageModelSpec:
    """Write a Hugging Face folder that transformers loads: a random Llama, hidden size 16, one token a byte."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _byte_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocab_size = tokenizer.get_vocab_size()
    end = tokenizer.token_to_id("<|im_end|>")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN_SIZE,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": vocab_size,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.token_to_id("<|im_start|>"),
        "eos_token_id": end,
        "dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": end}))
    special = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    save_tensors(folder / "model.safetensors", _llama_weights(vocab_size), {"format": "pt"})
    return LanguageModelSpec.of_folder(folder, name="tiny-llama", chat=CHAT)


def _byte_tokenizer() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: code for code, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL_TOKENS])
    return tokenizer


def _llama_weights(vocab_size: int) -> Mapping[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    hidden, wide, layer = HIDDEN_SIZE, 32, "model.layers.0."
    shapes = {"model.embed_tokens.weight": (vocab_size, hidden)}
    shapes |= {f"{layer}self_attn.{name}_proj.weight": (hidden, hidden) for name in "qkvo"}
    shapes |= {f"{layer}mlp.{name}_proj.weight": (wide, hidden) for name in ("gate", "up")}
    shapes |= {f"{layer}mlp.down_proj.weight": (hidden, wide)}
    norms = ("model.norm.weight", f"{layer}input_layernorm.weight", f"{layer}post_attention_layernorm.weight")
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    return weights | {name: np.ones(hidden, np.float32) for name in norms}


def _embeddings(degree: NDArray[np.int64]) -> NodeEmbeddings:
    """Two colour dimensions, one on which all nodes of a side differ, one empty; texts are the colour alone."""
    users, items, texts = np.zeros((NUM_USERS, 4)), np.zeros((NUM_ITEMS, 4)), np.zeros((NUM_ITEMS, 2))
    for row in range(NUM_USERS):
        users[row, row % 2], users[row, 2] = 1, 0.05 * row / NUM_USERS
    for row in range(NUM_ITEMS):
        items[row, row % 2] = 1 - 0.02 * row  # earlier items score higher
        items[row, 2] = 0.1 * row / NUM_ITEMS
        texts[row, row % 2] = 1
    return NodeEmbeddings(
        users=users.astype(np.float32),
        items=items.astype(np.float32),
        item_texts=texts.astype(np.float32),
        item_degree=degree,
        fold_in_map=np.eye(4, dtype=np.float32),
    )


def _side_tokenizer() -> SideTokenizer:
    macro = np.zeros((CODEBOOK_SIZE, 6), np.float32)
    for colour in range(2):
        macro[colour, [colour, 4 + colour]] = 1
    macro[2:] = 10 + np.arange(2)[:, None]  # codes that no node has
    rng = np.random.default_rng(1)
    scale = 0.1 * 0.5 ** np.arange(5)[:, None, None]  # coarse to fine
    micro = (rng.normal(size=(5, CODEBOOK_SIZE, 6)) * scale).astype(np.float32)
    return SideTokenizer(MacroQuantizer(macro), MicroQuantizer(micro))


def random_soft_tokens(
    seed: int,
    *,
    num_style: int = NUM_STYLE,
    num_soft: int = NUM_SOFT,
    codebook_size: int = CODEBOOK_SIZE,
    dim_joint: int = 6,
    num_words: int = 7,
    width: int = 5,
) -> SoftTokens:
    """Soft tokens of random codewords and words, of a readable size."""
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    def reader() -> SideReader:
        keys, codewords = WordKeys(drawn(dim_joint, num_words), drawn(num_words)), drawn(6, codebook_size, dim_joint)
        inner, outer = drawn(6, codebook_size, width), drawn(width, num_soft, HIDDEN_SIZE)
        return SideReader(keys, inner, drawn(width), outer, drawn(num_soft, HIDDEN_SIZE), codewords)

    return SoftTokens(drawn(num_style, HIDDEN_SIZE), random_words(rng, num_words), reader(), reader())


def random_words(rng: np.random.Generator, num_words: int) -> AnchorWords:
    """Words of one to three tokens, drawn as readable as all soft tokens are."""
    sizes = rng.integers(1, 4, num_words).tolist()
    return AnchorWords.of([rng.normal(0, 0.3, (size, HIDDEN_SIZE)).astype(np.float32) for size in sizes], HIDDEN_SIZE)


def _vocabulary() -> Vocabulary:
    macro = tuple(
        CodeMeaning((colour, f"{colour} tale", "story"), tuple(range(number, NUM_ITEMS, 2)))
        for number, colour in enumerate(COLOURS)
    )
    micro = tuple(tuple(CodeMeaning((f"thread {level}{code}",)) for code in range(CODEBOOK_SIZE)) for level in range(5))
    levels = (macro + (CodeMeaning(),) * (CODEBOOK_SIZE - 2), *micro)
    return Vocabulary(levels, levels)


def _item(row: int) -> Item:
    colour = colour_of(row)
    return Item(ITEM_IDS[row], f"{colour.title()} Tale {row}", f"A {colour} story, number {row}.", (colour, "fiction"))
