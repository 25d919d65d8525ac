"""Which texts repeat themselves: real ones of a small model, and good ones that look a little like them."""

import pytest

from service.repetition import without_repetition

GOOD = [
    "You often go for films that touch on the supernatural and romance, The Birdcage is among them. It is a comedy "
    "from 1996, with a mix of comedy and romance from 1996.",
    "You often go for films that touch on prison and crime, and The Shawshank Redemption is one of them. It is a drama "
    "from 1994, directed by Frank Darabont.",
    "You often go for films that touch on science fiction and adventure, and Back to the Future is among them.",
    "It asks again and again, and more and more, why a man would go over and over the same night.",
    "From the 1970s and the 1980s: crime, courtrooms and crime stories.",
    "An anti-war film and war drama, for children and children's parents.",
    "You like drama. Drama, and comedy, is what it is.",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_good_text_stays_as_it_is(text):
    """Words that return, fixed phrases and a theme that is named twice are no repetition."""
    assert without_repetition(text, []) == text


@pytest.mark.parametrize(
    ("text", "once"),
    [
        (
            "You often go for films that touch on politics and politics in general, and The Godfather is among them.",
            "You often go for films that touch on politics in general, and The Godfather is among them.",
        ),
        ("You go for politics, politics from 1977. Boogie Nights is a comedy.",
         "You go for politics from 1977. Boogie Nights is a comedy."),
        ("You like the future and the future of technology.", "You like the future of technology."),
        ("You liked The Jungle Boys and The Jungle Boys and the jungle boys and Fargo.",
         "You liked The Jungle Boys and Fargo."),
        ("A mix of drama, Drama.", "A mix of drama."),
    ],
)  # fmt: skip
def test_what_is_joined_to_itself_is_said_once(text, once):
    """Real texts of a small model: the rest of the sentence is sound."""
    assert without_repetition(text, []) == once


@pytest.mark.parametrize(
    "text",
    [
        "You like films that touch on the Vietnam War and you like films that touch on the Vietnam War.",
        "You liked The Rock and the Jedi and The Rock and the Empire, you liked The Rock and the Jedi and The Rock.",
    ],
)
def test_nothing_is_left_of_a_text_that_begins_with_a_repetition(text):
    """Six words said twice in one sentence."""
    assert without_repetition(text, []) is None


@pytest.mark.parametrize(
    ("kept", "left_out"),
    [
        (
            "You often go for films that touch on politics, and Fargo is a mix of crime, drama and thriller from 1996.",
            " It is a mix of crime, drama and thriller from 1996.",
        ),
        ("Is it for you? Is this a film as you like it?", " Yes, this is a film as you like it"),
    ],
)
def test_a_text_ends_before_its_first_sentence_that_repeats(kept, left_out):
    """What stands before it is whole; what comes after it may speak of it, and goes too."""
    assert without_repetition(kept + left_out, []) == kept


def test_a_title_may_be_named_as_often_as_wanted():
    """Long titles, and titles that are a word twice: each is one word, its year aside. Others get no such leave."""
    text = (
        "You liked New York, New York and Indiana Jones and the Last Crusade. "
        "Like Indiana Jones and the Last Crusade, it is an adventure."
    )
    titles = ["New York, New York (1977)", "Indiana Jones and the Last Crusade (1989)"]
    assert without_repetition(text, titles) == text
    assert without_repetition(text, titles[1:]) == text.replace("New York, New York", "New York")
    assert without_repetition(text, titles[:1]) == text[: text.index(" Like")]


def test_a_title_that_begins_another_is_not_joined_to_itself():
    """The Godfather and The Godfather Part II are two films; one film twice is said once."""
    text = "It is close to The Godfather and The Godfather: Part II."
    titles = ["The Godfather (1972)", "The Godfather: Part II (1974)"]
    assert without_repetition(text, titles) == text
    assert without_repetition("You liked The Godfather and The Godfather.", titles) == "You liked The Godfather."
