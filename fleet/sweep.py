"""Runs `portmortem columns` over the captures of many sensors, on a Spark cluster or on this machine alone.

Spark moves work, never meaning: each unit (a sensor's day, or a capture) is read by the one program, which also decides what is
there already. Nothing but the standard library is needed where the work is done.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

BIN_BYTES = 256 << 20
"""What one task reads, about."""
TASKS_PER_CORE = 3
STDERR_BYTES = 4096
"""How much of what the program said is kept."""
PLAN_FILES = 2000
"""Captures named in one call that plans."""


def read_sources(manifest: str | None, folder: str | None) -> list[dict]:
    """The captures with their site and sensor: from lines of JSON, or from folders `site=S/sensor=N/…`."""
    if manifest:
        with open(manifest, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.strip()]
    found = []
    for place in sorted(Path(folder or ".").glob("site=*/sensor=*")):
        site, sensor = (part.split("=", 1)[1] for part in place.parts[-2:])
        for path in sorted(place.rglob("*")):
            if path.is_file():
                found.append({"path": str(path), "site": site, "sensor": sensor})
    return found


def command(config: dict, site: str, sensor: str, files: list[str], lake: str, more: list[str]) -> list[str]:
    """The call of the program; files come last, none of them can be taken for an option."""
    own = [config["portmortem"], "columns", "--quiet", "--format", "json", "--site", site, "--sensor", sensor]
    return [*own, "--unit", config["unit"], "-o", lake, *more, "--", *files]


def plan(config: dict, sources: list[dict]) -> list[dict]:
    """The units: the program itself says which captures belong together."""
    sensors = defaultdict(list)
    for source in sources:
        sensors[source["site"], source["sensor"]].append(os.path.abspath(source["path"]))
    units: dict[tuple, dict] = {}
    nowhere = os.path.join(config["lake"], "_tmp", "no-lake")
    for (site, sensor), files in sorted(sensors.items()):
        for at in range(0, len(files), PLAN_FILES):
            call = command(config, site, sensor, files[at : at + PLAN_FILES], nowhere, ["--dry-run"])
            done = subprocess.run(call, capture_output=True, text=True, env=environment(), check=False)
            if done.returncode not in (0, 2):
                raise RuntimeError(f"{call[0]}: {done.stderr[-STDERR_BYTES:]}")
            for line in done.stdout.splitlines():
                own = json.loads(line)
                key = (site, sensor, own["unit"], own["files"][0] if config["unit"] == "capture" else "")
                unit = units.setdefault(key, {**own, "files": [], "bytes": 0})
                unit["files"] += own["files"]
                unit["bytes"] += own["bytes"]
    return sorted(units.values(), key=lambda unit: (-unit["bytes"], unit["unit"], unit["files"]))


def bins(units: list[dict], cores: int) -> list[list[dict]]:
    """Shares units out, the largest first, each into what is lightest."""
    total = sum(unit["bytes"] for unit in units)
    count = max(1, min(len(units), max(total // BIN_BYTES + 1, TASKS_PER_CORE * cores)))
    shared: list[list[dict]] = [[] for _ in range(count)]
    weights = [0] * count
    for unit in units:
        lightest = min(range(count), key=weights.__getitem__)
        shared[lightest].append(unit)
        weights[lightest] += unit["bytes"] + 1
    return shared


def environment() -> dict:
    """One core a task, and text as it is everywhere."""
    return {**os.environ, "RAYON_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}


def limit(config: dict, size: int) -> float:
    """How long a unit may take."""
    return config["timeout"] + size / (2 << 20)


def call(config: dict, unit: dict, files: list[str], lake: str) -> dict:
    """Runs the program on files of a unit; whatever it does, it is told and not raised."""

    def own_group() -> None:
        os.setsid()
        if config["memory"]:
            resource.setrlimit(resource.RLIMIT_AS, (config["memory"], config["memory"]))

    more = ["--retry-quarantined"] if config["retry"] else []
    line = command(config, unit["site"], unit["sensor"], files, lake, more)
    size = sum(os.path.getsize(file) for file in files if os.path.exists(file))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as told:
        child = subprocess.Popen(line, stdout=out, stderr=told, env=environment(), preexec_fn=own_group)
        why = None
        try:
            code = child.wait(limit(config, size))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            code, why = child.wait(), "it took too long"
        if code < 0 and why is None:
            why = f"it was ended by signal {-code}"
        out.seek(0)
        told.seek(max(0, told.seek(0, os.SEEK_END) - STDERR_BYTES))
        lines = [json.loads(text) for text in out.read().decode().splitlines()]
        said = told.read().decode(errors="replace")
    return {"rc": code, "why": why, "lines": lines, "stderr": said}


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Writes a file beside its place, and moves it there when the disk has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def quarantine(config: dict, unit: dict, file: str, ended: dict) -> None:
    """Notes a capture on which the program hung or died, so that it is not tried again unasked."""
    note = {
        "path": file,
        "bytes": os.path.getsize(file),
        "sha256": sha256(file),
        "site": unit["site"],
        "sensor": unit["sensor"],
        "rc": ended["rc"],
        "why": ended["why"],
        "stderr": ended["stderr"],
    }
    name = f"{unit['site']}.{unit['sensor']}.{note['sha256']}.json"
    write_whole(Path(config["lake"], "_quarantine", name), json.dumps(note, sort_keys=True) + "\n")


def is_of_the_lake(ended: dict) -> bool:
    """Whether nothing was said of any unit although the program ended by itself: a full disk, or no permission."""
    return ended["why"] is None and ended["rc"] != 0 and not ended["lines"]


def work(config: dict, units: Iterable[dict]) -> Iterator[dict]:
    """Does some units. Only what is wrong with the lake itself is raised; a bad capture is a row."""
    for unit in units:
        began = time.monotonic()
        ended = call(config, unit, unit["files"], config["lake"])
        poisoned: list[str] = []
        if ended["why"] is not None:
            # Who of them is it? Each is read alone, into a lake that is thrown away.
            with tempfile.TemporaryDirectory() as scratch:
                for file in unit["files"]:
                    alone = call(config, unit, [file], os.path.join(scratch, "lake"))
                    if alone["why"] is not None:
                        poisoned.append(file)
                        quarantine(config, unit, file, alone)
            left = [file for file in unit["files"] if file not in poisoned]
            if left and poisoned:
                ended = call(config, unit, left, config["lake"])
        if is_of_the_lake(ended):
            raise RuntimeError(f"{unit['unit']}: {ended['stderr']}")
        for line in ended["lines"] or [{**unit, "done": "quarantined", "rows": {}}]:
            line.pop("files", None)
            if poisoned and line["done"] in ("written", "replaced"):
                line["done"] = "partial"
            yield {
                **line,
                "poisoned": poisoned,
                "rc": ended["rc"],
                "stderr": ended["stderr"],
                "seconds": round(time.monotonic() - began, 3),
                "executor": f"{socket.gethostname()}:{os.getpid()}",
            }


def over_spark(config: dict, units: list[dict]) -> list[dict]:
    """The same on every core of a cluster."""
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName("portmortem sweep").getOrCreate()
    context = spark.sparkContext
    shared = bins(units, context.defaultParallelism)
    rows = context.parallelize(shared, len(shared)).mapPartitions(
        lambda parts: (row for part in parts for row in work(config, part))
    )
    try:
        return rows.collect()
    finally:
        spark.stop()


class Lock:
    """One sweep a lake at a time: one that lives on with an older list could be refused by a day that grew."""

    def __init__(self, lake: str, run: str) -> None:
        self.path = Path(lake, "_runs", "lock")
        self.holder = {"host": socket.gethostname(), "pid": os.getpid(), "run": run}

    def __enter__(self) -> Lock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            try:
                handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                self.give_way()
                continue
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self.holder, file)
            return self
        raise SystemExit("the lock of the lake comes and goes")

    def give_way(self) -> None:
        """Ends the program, unless the holder was a program of this machine that is gone."""
        try:
            holder = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            holder = {"host": "?", "pid": 0}
        gone = False
        if holder["host"] == self.holder["host"]:
            try:
                os.kill(holder["pid"], 0)
            except ProcessLookupError:
                gone = True
        if not gone:
            print(f"another sweep works on this lake: {holder} (remove {self.path} if that is not so)", file=sys.stderr)
            raise SystemExit(2)
        self.path.unlink(missing_ok=True)

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)


def without_quarantined(config: dict, sources: list[dict]) -> list[dict]:
    """Leaves out captures on which the program hung or died before, unless that is to be tried again."""
    notes = Path(config["lake"], "_quarantine").glob("*.json")
    known = set()
    for path in [] if config["retry"] else notes:
        note = json.loads(path.read_text(encoding="utf-8"))
        known.add((note["path"], note["bytes"]))
    absolute = [(source, os.path.abspath(source["path"])) for source in sources]
    return [own for own, path in absolute if not known or (path, os.path.getsize(path)) not in known]


def arguments() -> argparse.Namespace:
    own = argparse.ArgumentParser(description=__doc__)
    given = own.add_mutually_exclusive_group(required=True)
    given.add_argument("--manifest", help='lines of JSON: {"path": …, "site": …, "sensor": …}')
    given.add_argument("--folder", help="captures in folders site=S/sensor=N/")
    own.add_argument("--lake", required=True)
    own.add_argument("--portmortem", default="portmortem", help="the program, on every machine")
    own.add_argument("--unit", choices=["sensor-day", "capture"], default="sensor-day")
    own.add_argument("--no-spark", action="store_true", help="do everything in this process")
    own.add_argument("--slice", default="1/1", help="with --no-spark: only the Nth of M shares, as 3/8")
    own.add_argument("--timeout", type=float, default=60, help="seconds a unit may take, beside 1 s for 2 MB")
    own.add_argument("--memory", type=int, default=0, help="bytes of addresses a unit may take (0: no limit)")
    own.add_argument("--retry-quarantined", action="store_true")
    own.add_argument("--result", help="write the summary here too: spark-submit mixes stdout and stderr")
    return own.parse_args()


def main() -> int:
    given = arguments()
    config = {
        "portmortem": given.portmortem,
        "lake": os.path.abspath(given.lake),
        "unit": given.unit,
        "timeout": given.timeout,
        "memory": given.memory,
        "retry": given.retry_quarantined,
    }
    run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
    # Shares of one sweep do not wait for one another: each has its own units.
    part, parts = (int(number) for number in given.slice.split("/"))
    lock = Lock(config["lake"], run) if parts == 1 else contextlib.nullcontext()
    with lock:
        sources = without_quarantined(config, read_sources(given.manifest, given.folder))
        units = plan(config, sources)
        began = time.monotonic()
        if given.no_spark:
            mine = bins(units, parts)[part - 1 :: parts] if parts > 1 else [units]
            rows = [row for share in mine for row in work(config, share)]
        else:
            rows = over_spark(config, units)
        seconds = time.monotonic() - began
        log = "".join(json.dumps({"run": run, **row}, sort_keys=True) + "\n" for row in rows)
        write_whole(Path(config["lake"], "_runs", f"{run}.jsonl"), log)
    done: dict[str, int] = defaultdict(int)
    for row in rows:
        done[row["done"]] += 1
    # What could not be read before is told once.
    bad = sum(bool(row["poisoned"] or row["rc"] or (row["quarantined"] and row["done"] != "there")) for row in rows)
    size = sum(unit["bytes"] for unit in units)
    summary = {"run": run, "units": len(units), "captures": len(sources), "bytes": size, **done, "seconds": round(seconds, 2)}
    if given.result:
        write_whole(Path(given.result), json.dumps(summary) + "\n")
    print(json.dumps(summary))
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:
        print(f"the sweep failed: {error}", file=sys.stderr)
        sys.exit(2)
