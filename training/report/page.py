"""report.html: what report.json holds, to be read. All texts are untrusted and escaped; only our own plots are not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from training.report import plots
from training.report.tables import Table, percent, quintiles, shown, signed, spoken, table, tables

FORMS = {"tokens_only": "tokens only", "titled": "tokens and title", "as_served": "as served"}
FIRST_ARMS = ("true", "titled", "as_served", "profile", "xrec_prediction", "rexrec_prediction")
"""Of an example, shown at once; the other arms unfold."""
NOT_FIGURES = {
    "explanations",
    "examples",
    "token_map",
    "projector_losses",
    "control_losses",
    "config",
    "machine",
    "vectors",
}

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Headline:
    """A figure worth reading first: what it is, its value, and what it should be held against."""

    title: str
    value: str
    note: str


@dataclass(frozen=True)
class Section:
    """A heading, what it means, plots and tables."""

    title: str
    words: str
    plots: tuple[Markup, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    """Tables that unfold."""


def page(report: Report) -> str:
    """The whole page. Needs none of the report's parts: what is not there is not shown."""
    environment = Environment(
        loader=PackageLoader("training.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["spoken"] = spoken
    return environment.get_template("report.html").render(
        title=report.get("version") or report.get("name") or "a run",
        leaked=report.get("leaks_allowed", False),
        headlines=list(_headlines(report)),
        sections=[each for each in _sections(report) if each.plots or each.tables or each.folded],
        examples=report.get("examples", []),
        first_arms=FIRST_ARMS,
        config=json.dumps(report.get("config", {}), indent=2, ensure_ascii=False),
        machine=report.get("machine", {}),
    )


def _headlines(report: Report) -> Iterator[Headline]:
    ranked = report.get("ranking", {}).get("test", {})
    if "vectors" in ranked and "tokens only" in ranked:
        vectors, tokens = ranked["vectors"]["recall@20"], ranked["tokens only"]["recall@20"]
        kept = percent(tokens / vectors) if vectors else "none"
        yield Headline(
            "of the vectors\u2019 Recall@20 kept by tokens alone", kept, f"{shown(tokens)} of {shown(vectors)}"
        )
    explained = report.get("explanations", {})
    alone = explained.get("tokens_only", {})
    if "swap_margin" in alone:
        item = alone["swap_margin"]["item"]
        note = f"nats a token, 95 % interval {signed(item['low'])} to {signed(item['high'])}; 0: they are not read"
        yield Headline("item swap margin, tokens only", signed(item["mean"]), note)
    if "gain" in alone:
        share = alone["gain"].get("share")
        value = percent(share["mean"]) if share else "none"
        note = (
            f"95 % interval {percent(share['low'])} to {percent(share['high'])}"
            if share
            else "the text itself gains nothing"
        )
        yield Headline("of what the item\u2019s whole text tells the LLM is told by tokens alone", value, note)
    texts = explained.get("texts", {}).get("arms", {})
    if "identified_among_10" in texts.get("true", {}):
        found = texts["true"]["identified_among_10"]
        yield Headline(
            "of texts written from tokens alone name their item among 10", percent(found["mean"]), "chance 10%"
        )


def _sections(report: Report) -> Iterator[Section]:
    yield _ranking(report.get("ranking", {}))
    explained = report.get("explanations", {})
    yield _likelihoods(explained)
    yield _texts(explained.get("texts", {}))
    yield _bias(explained)
    yield _codes(report)
    yield _training(report)
    known = {*NOT_FIGURES, "ranking", "codebooks", "name", "version", "leaks_allowed"}
    others = {name: part for name, part in report.items() if name not in known and isinstance(part, Mapping)}
    more = tuple(each for name, part in others.items() for each in tables(spoken(name), part))
    yield Section("More figures", "What other stages of the run measured.", tables=more)


def _ranking(ranking: Report) -> Section:
    shown_tables, folded = [], []
    for part, arms in ranking.items():
        if isinstance(arms, Mapping) and all(isinstance(each, Mapping) for each in arms.values()):
            shown_tables.append(table(f"Ranking, {part}", arms))
            by_history = quintiles(f"Recall@20 by length of history, {part}", arms, "recall@20")
            folded += [by_history] if by_history else []
    words = "The whole catalogue is ranked for every user; what was trained on is masked. Popularity is the floor."
    return Section("Ranking", words, tables=tuple(shown_tables), folded=tuple(folded))


def _likelihoods(explained: Report) -> Section:
    forms = {title: explained[form] for form, title in FORMS.items() if form in explained}
    if not forms:
        return Section("What the tokens tell the language model", "")
    lines = {
        f"{title}: {swap}": interval for title, form in forms.items() for swap, interval in form["swap_margin"].items()
    }
    control = {
        f"random control: {swap}": interval
        for swap, interval in forms.get("tokens only", {}).get("random_swap_margin", {}).items()
    }
    nll = {title: form["nll"] for title, form in forms.items()}
    arms = list(dict.fromkeys(arm for each in nll.values() for arm in each))
    by_arm = {arm: {title: each.get(arm) for title, each in nll.items()} for arm in arms}
    gains = {title: form["gain"] for title, form in forms.items() if "gain" in form}
    words = (
        f"Negative log-likelihood of {explained['rows']:,} held-out references, nats a token: lower is better. A swap "
        "gives the prompt the tokens of another user or item; if the reference then gets less likely (a margin above "
        "0), the LLM read the very tokens. Controls were trained alike and cannot know the pair."
    )
    found = [table("NLL by arm and prompt", by_arm)]
    if gains:
        found.append(table("Gain over the identity-free control (share: of the whole text\u2019s gain)", gains))
    return Section(
        "What the tokens tell the language model", words, (Markup(plots.margins({**lines, **control})),), tuple(found)
    )


def _texts(texts: Report) -> Section:
    if not texts:
        return Section("Written explanations", "")
    words = (
        f"{texts['rows']:,} texts an arm, written greedily by the frozen LLM, compared by {texts['encoder']}; items "
        f"are looked for among {texts['pool']:,}. BERTScore, ROUGE and BLEU hardly see whether a text speaks of its "
        "own pair: one constant sentence shows how much they give for nothing. Finding the item does see it."
    )
    rows = {name: _short(figures) for name, figures in texts["arms"].items()}
    folded = [table("As served, minus each other text of the same rows", texts["against"])]
    found = [table("Texts by arm", rows)]
    if "preferences" in texts:
        found.append(table("Preferences that texts state: how many, and which share is true", texts["preferences"]))
    if "grades" in texts:
        found.append(table("Grades of a language model, 1 to 5", texts["grades"]))
    return Section("Written explanations", words, tables=tuple(found), folded=tuple(folded))


def _short(figures: Report) -> dict[str, Any]:
    """Means alone: a dozen columns of intervals cannot be read; report.json has them."""
    return {
        name: value["mean"] if isinstance(value, Mapping) else value
        for name, value in figures.items()
        if name != "leaked"
    }


def _bias(explained: Report) -> Section:
    texts = explained.get("texts", {})
    found = []
    if explained.get("margins_by_group"):
        found.append(table("Swap margins by user group, tokens only", explained["margins_by_group"]))
    if texts.get("tone_by_group"):
        found.append(table("Tone of texts as served, by user group", texts["tone_by_group"]))
    if texts.get("tone"):
        found.append(table("Tone by arm", texts["tone"]))
    words = (
        "Length, sentiment (VADER, from \u22121 to 1) and refusals. Groups whose intervals lie apart are treated "
        "differently; groups of fewer than five rows are left out."
    )
    return Section("Bias probe", words, tables=tuple(found))


def _codes(report: Report) -> Section:
    drawn, sides = [], report.get("codebooks", {})
    both = {side: sides[side] for side in ("user", "item") if "perplexity" in sides.get(side, {})}
    if both:
        drawn.append(Markup(plots.codebooks(both)))
    if report.get("token_map", {}).get("points"):
        drawn.append(Markup(plots.token_map(report["token_map"])))
    words = (
        "Perplexity is the number of codes that a level is as good as using evenly. In the map, items near to each "
        "other have like vectors; the largest macro codes are named by the words of their members."
    )
    return Section("Codes", words, tuple(drawn), folded=tuple(tables("Codebooks", sides)) if sides else ())


def _training(report: Report) -> Section:
    curves = {"projector": report.get("projector_losses") or [], **report.get("control_losses", {})}
    there = {name: steps for name, steps in curves.items() if steps}
    drawn = (Markup(plots.losses(there)),) if there else ()
    return Section("Training", "Single batches are pale, their running mean is strong.", drawn)
