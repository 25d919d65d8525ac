"""What the manual tells to type can be typed: programs, their commands and options, and what `make` makes."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from service.__main__ import app as serve
from training.__main__ import app as train

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PROGRAMS = {"beat-serve": get_command(serve), "beat-train": get_command(train)}


def typed(program: str) -> set[str]:
    """Commands of the program in all pages: in a line of their own or between backticks, without comments."""
    found = re.compile(rf"(?:^ *|`|/bin/)({program} [^`#\n]+)", re.MULTILINE)
    pages = (page.read_text().replace("\\\n", " ") for page in PAGES)
    return {command.strip() for page in pages for command in found.findall(page)}


@pytest.mark.parametrize(
    "line", sorted(line for program in PROGRAMS for line in typed(program) if re.match(r"[a-z-]+ [a-z-]+( |$)", line))
)
def test_every_command_is_one_with_such_options(line: str) -> None:
    """The program has the command, and the command each option."""
    program, name, *rest = shlex.split(line)
    group = PROGRAMS[program]
    assert isinstance(group, TyperGroup)
    command = group.commands[name]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in rest if word.startswith("--")} - known - {"--help"} == set()


def test_every_target_of_make_exists() -> None:
    """As `make help` and the file itself say."""
    targets = set(re.findall(r"^([a-z.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {words.split()[1] for words in typed("make")}
    assert {"up", "down", "smoke", "dashboards"} <= asked
    assert asked - targets == set()


def test_links_lead_somewhere() -> None:
    """Every file that a page links to is there."""
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_shell_reads_every_block() -> None:
    """No quote is left open, no line broken off."""
    blocks = [block for page in PAGES for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)]
    assert blocks
    for block in blocks:
        assert subprocess.run(["sh", "-n"], input=block, text=True, capture_output=True).returncode == 0, block
