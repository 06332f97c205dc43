"""Puts the files of a site's day together, one a table: questions over many small files spend their time opening them.

The result is a generation of its own beside the one it is made of; `CURRENT` is switched at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_ROWS = 122_880
ORDER = ["ts", "sensor", "capture", "capture_sha256", "frame", "message", "link", "episode", "finding"]
"""Rows are put in the order of those of these columns that a table has."""


def current(lake: Path) -> str:
    """The generation that questions read."""
    return (lake / "CURRENT").read_text(encoding="utf-8").strip()


def merge(files: list[Path], target: Path) -> int:
    """Writes the rows of some files as one, in order; gives their number."""
    tables = [pq.ParquetFile(file).read() for file in files]
    rows = pa.concat_tables(tables)
    keys = [(name, "ascending") for name in ORDER if name in rows.column_names]
    rows = rows.sort_by(keys)
    footer = pq.read_metadata(files[0]).metadata or {}
    own = {key.decode(): value.decode() for key, value in footer.items() if key.startswith(b"portmortem.")}
    target.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(
        target,
        rows.schema.remove_metadata(),
        compression="zstd",
        store_schema=False,
        write_page_index=True,
        coerce_timestamps="us",
    ) as writer:
        writer.write_table(rows.replace_schema_metadata(None), row_group_size=GROUP_ROWS)
        writer.add_key_value_metadata({**own, "portmortem.compacted": "1"})
    with open(target, "rb") as file:
        os.fsync(file.fileno())
    return rows.num_rows


def compact(lake: Path) -> dict:
    """Makes the compacted generation of the current one, and switches to it."""
    source = current(lake).removesuffix("-c")
    (lake / "_tmp").mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=lake / "_tmp"))
    os.chmod(made, 0o755)
    counts = {"files": 0, "rows": 0, "from": 0}
    for table in sorted(path for path in (lake / source).iterdir() if path.is_dir()):
        for day in sorted(table.glob("site=*/day=*")):
            files = sorted(day.glob("*.parquet"))
            if files:
                counts["rows"] += merge(files, made / day.relative_to(lake / source) / "all.parquet")
                counts["files"] += 1
                counts["from"] += len(files)
    place = lake / f"{source}-c"
    old = made.with_name(made.name + "-old")
    if place.exists():
        os.replace(place, old)
    os.replace(made, place)
    handle, name = tempfile.mkstemp(dir=lake)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{place.name}\n")
        file.flush()
        os.fsync(file.fileno())
    os.chmod(name, 0o644)
    os.replace(name, lake / "CURRENT")
    shutil.rmtree(old, ignore_errors=True)
    return {"generation": place.name, **counts}


def main() -> int:
    own = argparse.ArgumentParser(description=__doc__)
    own.add_argument("--lake", required=True, type=Path)
    print(json.dumps(compact(own.parse_args().lake)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
