"""Prints requirements, a line each: the project's own, or those of the extras named (requirements.py cpu train)."""

import sys
import tomllib

with open("pyproject.toml", "rb") as file:  # noqa: PTH123  (runs in the builder, next to the file)
    project = tomllib.load(file)["project"]
extras = sys.argv[1:]
lines = [line for extra in extras for line in project["optional-dependencies"][extra]] or project["dependencies"]
sys.stdout.write("\n".join(lines) + "\n")
