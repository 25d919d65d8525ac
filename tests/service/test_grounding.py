"""What may be said."""

import pytest

from model_store.types import BehaviorTokens
from service.explanation import Evidence, PastItem
from service.grounding import Verdict, check, template
from service.title_matcher import TitleMatcher
from service.types import Generation, LabelledTokens

TOKENS = LabelledTokens(BehaviorTokens(0, (0,) * 5), ("a",) * 6)


TITLES = TitleMatcher(["Alien", "The Thing", "The Fly", "Solaris"])


def _generation(text: str, finish_reason="stop") -> Generation:
    return Generation(text, (1,), finish_reason, 10, 1)


def _evidence(*, words: tuple[str, ...] = (), titles: tuple[str, ...] = ()) -> Evidence:
    return Evidence(TOKENS, TOKENS, words, tuple(PastItem(title, title, 0.5) for title in titles))


@pytest.mark.parametrize(
    ("text", "finish_reason", "verdict"),
    [
        (" You like\nspace  films. ", "stop", Verdict("You like space films.", None)),
        ("You like space films", "stop", Verdict("You like space films", None)),
        ("You like space. It has", "length", Verdict("You like space.", "cut")),
        ('He said "yes!" and then', "length", Verdict('He said "yes!"', "cut")),
        ("It costs 3.5 and runs on version 2.0 of", "length", Verdict(None, "breaks_off")),
        ("You like space.", "length", Verdict("You like space.", None)),
        ("You like space and", "length", Verdict(None, "breaks_off")),
        ("", "stop", Verdict(None, "empty")),
        (" \n\t", "stop", Verdict(None, "empty")),
    ],
)
def test_only_whole_sentences_of_a_text_that_ran_out_are_kept(text, finish_reason, verdict):
    """A finished text stays as it is; an unfinished one ends with its last whole sentence, or is given up."""
    assert check(_generation(text, finish_reason), "Alien", _evidence(), TITLES) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Alien is as good as The Thing.", Verdict("Alien is as good as The Thing.", None)),
        ("Alien is as good as The Fly.", Verdict(None, "other_title")),
        ('Like "solaris", it is slow.', Verdict(None, "other_title")),
        ("You like the thing.", Verdict("You like the thing.", None)),
    ],
)
def test_only_the_asked_and_the_evidences_titles_may_be_named(text, verdict):
    """Asked about Alien, with The Thing in the evidence."""
    assert check(_generation(text), "Alien", _evidence(titles=("The Thing",)), TITLES) == verdict


@pytest.mark.parametrize(
    ("text", "finish_reason", "verdict"),
    [
        ("You like politics and politics.", "stop", Verdict("You like politics.", "repeats")),
        ("You like space. It is drama and drama.", "stop", Verdict("You like space. It is drama.", "repeats")),
        ("You like space. It is drama, drama. It has", "length", Verdict("You like space. It is drama.", "repeats")),
        ("You like The Thing and The Thing.", "stop", Verdict("You like The Thing.", "repeats")),
        ("You like The Fly. It is drama and drama.", "stop", Verdict(None, "other_title")),
        ("You like space. It is The Fly and The Fly.", "stop", Verdict(None, "other_title")),
    ],
)
def test_a_text_that_repeats_is_kept_up_to_there_or_given_up(text, finish_reason, verdict):
    """What is left of it must still name no other title."""
    assert check(_generation(text, finish_reason), "Alien", _evidence(titles=("The Thing",)), TITLES) == verdict


def test_what_was_cut_off_names_nothing():
    """The title stands in the sentence that broke off, which is not shown."""
    kept = check(_generation("You like space. As in The Fly", "length"), "Alien", _evidence(), TITLES)
    assert kept == Verdict("You like space.", "cut")


def test_the_template_says_past_items_and_shared_words():
    """Every word in it comes from the evidence."""
    said = template("Alien", _evidence(words=("space", "horror"), titles=("Aliens", "The Thing", "Solaris")))
    assert said == (
        "Alien is close to Aliens, The Thing and Solaris in your history. "
        "What Alien shares with your taste: space and horror."
    )


def test_the_template_says_only_what_there_is():
    """One part of the evidence gives one sentence; none gives an honest one."""
    assert template("Alien", _evidence(titles=("Aliens",))) == "Alien is close to Aliens in your history."
    assert template("Alien", _evidence(words=("space",))) == "What Alien shares with your taste: space."
    assert template("Alien", _evidence()) == "Nothing in your history speaks for Alien."
