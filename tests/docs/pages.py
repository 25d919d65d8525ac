"""What the tests of the manual read out of its pages."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Block(NamedTuple):
    """A fenced block of a page: its language (empty where none is named) and its text."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """All of a page, in their order. The page is named from the root: `docs/api.md`."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    return [Block(language, text) for language, text in found]


def commands(page: str) -> list[str]:
    """Lines of the shell blocks that hold a command, with their comments; broken lines are joined."""
    shell = [block.text.replace("\\\n", " ") for block in blocks(page) if block.language == "sh"]
    return [line for text in shell for line in text.splitlines() if line.strip()]


def programs(page: str) -> list[str]:
    """The Python blocks."""
    return [block.text for block in blocks(page) if block.language == "python"]
