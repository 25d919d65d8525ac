"""Time and peak memory of `beat-train import` on generated interactions: long ids, ratings, times, core, split.

python benchmarks/bench_import.py [--rows 10000000] [--k-core 5]
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.csv

BATCH_ROWS = 500_000
ROWS_PER_USER = 12
ROWS_PER_ITEM = 40


def main() -> None:
    """Generate, import in a process of its own, report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--k-core", type=int, default=5)
    told = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        source.mkdir()
        generate(source / "interactions.csv", told.rows)
        megabytes = (source / "interactions.csv").stat().st_size / 1e6
        command = [sys.executable, "-m", "training", "import", "tabular", str(source), str(Path(scratch) / "data")]
        begun = perf_counter()
        subprocess.run([*command, "--k-core", str(told.k_core), "--time-unit", "ms"], check=True)
        wall_s = perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{told.rows:,} rows, {megabytes:,.0f} MB of CSV, {told.k_core}-core, split by time, {platform.machine()}")
    busy_s = used.ru_utime + used.ru_stime
    print(f"peak memory {used.ru_maxrss / 2**20:.2f} GiB; {wall_s:.0f} s, {busy_s:.0f} s of processor")


def generate(file: Path, rows: int) -> None:
    """Ids as long as Amazon's (28 and 10 characters); users and items are drawn with a long tail."""
    random = np.random.default_rng(0)
    num_users, num_items = rows // ROWS_PER_USER + 1, rows // ROWS_PER_ITEM + 1
    users = pa.array([f"A{number:027d}" for number in range(num_users)])
    items = pa.array([f"B{number:09d}" for number in range(num_items)])
    schema = pa.schema([("user_id", "string"), ("item_id", "string"), ("rating", "float32"), ("timestamp", "int64")])
    with pyarrow.csv.CSVWriter(file, schema) as writer:
        for begin in range(0, rows, BATCH_ROWS):
            count = min(BATCH_ROWS, rows - begin)
            columns = [
                users.take(pa.array((random.random(count) ** 2 * num_users).astype(np.int64))),
                items.take(pa.array((random.random(count) ** 3 * num_items).astype(np.int64))),
                pa.array(random.integers(1, 6, count).astype(np.float32)),
                pa.array(random.integers(1_500_000_000_000, 1_700_000_000_000, count)),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))


if __name__ == "__main__":
    main()
