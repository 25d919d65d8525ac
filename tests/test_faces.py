"""Each package has a face: what others may rely on is listed, is there, and does not change unnoticed."""

import importlib

import pytest

FACES = {
    "model_store": {
        "Artifact",
        "ArtifactCorrupt",
        "ArtifactIncompatible",
        "ArtifactNotFound",
        "ArtifactParts",
        "BehaviorTokenizer",
        "BehaviorTokens",
        "Catalog",
        "Categories",
        "ChatMarkup",
        "CodeMeaning",
        "EmbedsPart",
        "EncodedPrompt",
        "FORMAT_VERSION",
        "Histories",
        "IdMap",
        "Item",
        "ItemId",
        "LATEST",
        "LanguageModelSpec",
        "MacroQuantizer",
        "Manifest",
        "MicroQuantizer",
        "ModelStore",
        "ModelStoreError",
        "NUM_CODES",
        "NUM_MICRO",
        "NodeEmbeddings",
        "Prompt",
        "PromptEncoder",
        "PromptTemplate",
        "RowLists",
        "Side",
        "SideTokenizer",
        "Slot",
        "SoftTokens",
        "SideReader",
        "StringTable",
        "TextPart",
        "TokenEmbeddings",
        "UnknownId",
        "UserId",
        "Vocabulary",
        "WordKeys",
        "default_template",
        "embed_prompt",
        "example_template",
        "neutralise",
    },
    "service": set(),
    "service.adapters": set(),
    "training": set(),
    "training.data": {
        "DataError",
        "Dataset",
        "DatasetError",
        "Explanations",
        "GivenRows",
        "Interactions",
        "ItemTable",
        "LeakError",
        "Pairs",
        "Rows",
        "Split",
        "SplitConfig",
        "Subset",
        "Tables",
        "build_dataset",
        "check_leaks",
        "digest",
        "held_out_nodes",
        "item_roles",
        "read_dataset",
        "read_movielens",
        "read_rows",
        "read_tabular",
        "read_xrec",
        "split",
        "subset",
        "write_dataset",
    },
}


@pytest.mark.parametrize("package", FACES)
def test_the_face_of_a_package_is_what_it_was(package: str) -> None:
    """`__all__` names exactly these, each is there, and none twice: a change is a change for whoever imports it."""
    module = importlib.import_module(package)

    assert set(module.__all__) == FACES[package]
    assert len(module.__all__) == len(FACES[package])
    assert all(hasattr(module, name) for name in module.__all__)
