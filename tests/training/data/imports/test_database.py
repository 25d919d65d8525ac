"""The database under an import: limits, and what interrupts it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from training.data.imports.database import Database, quote, text_literal

ENDLESS = """
import signal
import sys
from pathlib import Path
from training.data.imports.database import Database

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts its background jobs deaf to it
with Database(Path(sys.argv[1])) as database:
    database.rows("CREATE TABLE numbers AS FROM range(100000)")
    print("begun", flush=True)
    try:
        database.rows("SELECT count(*) FROM numbers a, numbers b, numbers c WHERE a.range * b.range % 7 = c.range")
    except KeyboardInterrupt:
        print("stopped", database.rows("SELECT 1"))
"""


def test_ctrl_c_stops_a_query(tmp_path: Path) -> None:
    """As it stops anything else: the caller cleans up. In a process of its own, whose signals are nobody else's."""
    command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "stopped [(1,)]\n"


def test_a_full_disk_is_an_error_of_the_world(tmp_path: Path) -> None:
    """What does not fit in memory goes to disk; where it may not, that is one line and no trace."""
    with Database(tmp_path) as database:
        for setting in ("memory_limit = '16MB'", "max_temp_directory_size = '0KB'"):
            database.rows(f"SET {setting}")
        with pytest.raises(OSError, match="the import's database: Out of Memory Error"):
            database.rows("CREATE TEMP TABLE t AS SELECT md5(range::VARCHAR) AS x FROM range(3000000) ORDER BY x")


def test_results_come_as_rows_tables_and_arrays(tmp_path: Path) -> None:
    """Views are there for one statement."""
    with Database(tmp_path) as database:
        view = pa.table({"n": [1, 2]})
        assert database.rows("SELECT n FROM view", view=view) == [(1,), (2,)]
        assert database.table("SELECT n FROM view", view=view) == view
        database.rows("CREATE TABLE kept AS FROM view", view=view)
        np.testing.assert_array_equal(database.arrays("FROM kept")["n"], [1, 2])
        assert database.row("SELECT max(n) AS most FROM kept") == {"most": 2}
        assert [len(batch) for batch in database.batches("FROM kept")] == [2]


def test_names_and_texts_of_others_are_no_sql() -> None:
    """Quotation marks in them are doubled."""
    assert quote('a"b') == '"a""b"'
    assert text_literal("it's") == "'it''s'"
