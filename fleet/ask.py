"""Asks a lake one of the questions, with any of four engines; all give the same rows."""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from pathlib import Path

QUESTIONS = Path(__file__).resolve().parent / "questions"
TABLES = ["dns", "icmp_errors", "links", "episodes", "findings", "attempts", "captures"]


def folder(lake: Path) -> Path:
    """The folder of the generation that questions read."""
    return lake / (lake / "CURRENT").read_text(encoding="utf-8").strip()


def text_of(question: str, values: dict[str, str]) -> str:
    """The question's text with its values: lines `-- :name = default` say which there are."""
    text = (QUESTIONS / f"{question}.sql").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"^-- :(\w+) = (\S+)", text, re.MULTILINE))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    for name, value in {**defaults, **values}.items():
        if name not in defaults or not re.fullmatch(r"-?\d+", value):
            raise SystemExit(f"{question} takes whole numbers for {sorted(defaults)}, not {name}={value}")
        body = re.sub(rf":{name}\b", value, body)
    return body.strip().rstrip(";")


def plain(value: object) -> object:
    """A value as every engine has it: moments are microseconds since 1970."""
    if isinstance(value, datetime.datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        span = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return span // datetime.timedelta(microseconds=1)
    if isinstance(value, float):
        return round(value, 6)
    return value


def with_duckdb(lake: Path, sql: str) -> tuple[list[str], list[tuple]]:
    import duckdb

    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    for table in TABLES:
        if list((folder(lake) / table).rglob("*.parquet")):
            files = str(folder(lake) / table / "**" / "*.parquet").replace("'", "''")
            engine.execute(f"CREATE VIEW {table} AS FROM read_parquet('{files}', hive_partitioning = false)")
    found = engine.execute(sql)
    return [column[0] for column in found.description], found.fetchall()


def with_datafusion(lake: Path, sql: str) -> tuple[list[str], list[tuple]]:
    import datafusion

    engine = datafusion.SessionContext()
    for table in TABLES:
        if list((folder(lake) / table).rglob("*.parquet")):
            engine.register_parquet(table, str(folder(lake) / table))
    found = engine.sql(sql).to_arrow_table()
    return found.column_names, [tuple(row.values()) for row in found.to_pylist()]


def with_chdb(lake: Path, sql: str) -> tuple[list[str], list[tuple]]:
    import io

    import chdb
    import pyarrow.parquet as pq

    place = str(folder(lake)).replace("'", "\\'")
    names = "|".join(TABLES)
    sql = re.sub(rf"\b(FROM|JOIN) ({names})\b", rf"\1 file('{place}/\2/**/*.parquet', Parquet) AS \2", sql)
    # A name of its own follows where the question gives one.
    sql = re.sub(rf" AS ({names}) AS ", " AS ", sql)
    settings = " SETTINGS join_use_nulls = 1, session_timezone = 'UTC', output_format_parquet_string_as_string = 1"
    found = pq.read_table(io.BytesIO(chdb.query(sql + settings, "Parquet").bytes()))
    return found.column_names, [tuple(row.values()) for row in found.to_pylist()]


def with_spark(lake: Path, sql: str) -> tuple[list[str], list[tuple]]:
    from pyspark.sql import SparkSession

    engine = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .getOrCreate()
    )
    engine.sparkContext.setLogLevel("ERROR")
    for table in TABLES:
        place = folder(lake) / table
        if list(place.rglob("*.parquet")):
            engine.read.parquet(str(place)).createOrReplaceTempView(table)
    found = engine.sql(sql)
    moments = [name for name, kind in found.dtypes if kind.startswith("timestamp")]
    # Collected, a moment is in the time of the machine; a number is one everywhere.
    found = found.selectExpr(*[f"unix_micros({n}) AS {n}" if n in moments else f"`{n}`" for n in found.columns])
    return found.columns, [tuple(row) for row in found.collect()]


ENGINES = {"duckdb": with_duckdb, "datafusion": with_datafusion, "spark": with_spark, "chdb": with_chdb}


def ask(lake: Path, question: str, engine: str, values: dict[str, str]) -> tuple[list[str], list[tuple]]:
    """The names of the columns, and the rows in order."""
    columns, rows = ENGINES[engine](lake, text_of(question, values))
    return columns, [tuple(plain(value) for value in row) for row in rows]


def main() -> int:
    known = sorted(path.stem for path in QUESTIONS.glob("*.sql"))
    own = argparse.ArgumentParser(description=__doc__)
    own.add_argument("lake", type=Path)
    own.add_argument("question", choices=known)
    own.add_argument("values", nargs="*", help="name=number, as the question's head lists them")
    own.add_argument("--engine", choices=sorted(ENGINES), default="duckdb")
    given = own.parse_args()
    columns, rows = ask(given.lake, given.question, given.engine, dict(v.split("=", 1) for v in given.values))
    print("\t".join(columns))
    for row in rows:
        shown = (when(value) if name.endswith("_at") else value for name, value in zip(columns, row, strict=True))
        print("\t".join("" if value is None else str(value) for value in shown))
    return 0


def when(micros: object) -> object:
    """A moment as people read it."""
    if not isinstance(micros, int):
        return micros
    at = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=micros)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


if __name__ == "__main__":
    sys.exit(main())
