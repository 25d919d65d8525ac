"""Errors carry facts."""

from training.data.errors import DatasetError, LeakError


def test_a_dataset_error_tells_file_row_column_and_what_was_expected() -> None:
    """All four are in the message and on the error."""
    error = DatasetError("items.csv", 3, "rating", "a number", "x")

    assert str(error) == "items.csv, row 3, column 'rating': expected a number, found 'x'"
    assert (error.file, error.row, error.column, error.expected, error.found) == (
        "items.csv",
        3,
        "rating",
        "a number",
        "x",
    )


def test_a_leak_error_lists_ten_pairs_and_carries_all() -> None:
    """The message stays readable however many pairs leak."""
    error = LeakError([(user, "x") for user in range(12)])

    assert len(error.pairs) == 12
    assert "(9, 'x') and 2 more" in str(error)
    assert "10, 'x'" not in str(error)
