"""Sweeps a made fleet in every way there is, and asks it everything with every engine.

PORTMORTEM names the program; FLEET_CAPTURES how many captures are made (30). What needs Spark is left out, aloud, without Java.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

FLEET = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(FLEET), str(FLEET / "tests")]

import made  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import ask  # noqa: E402

PORTMORTEM = os.environ.get("PORTMORTEM", "portmortem")
CAPTURES = int(os.environ.get("FLEET_CAPTURES", "30"))
SITES = 10 if CAPTURES >= 100 else 5
HAS_SPARK = shutil.which("java") is not None
CLUSTER_SECONDS = 300
"""How long a cluster may take to begin, and then to end."""
QUESTIONS = sorted(path.stem for path in ask.QUESTIONS.glob("*.sql"))


def digest(lake: Path) -> str:
    """One hash over the names and bytes of everything questions read."""
    whole = hashlib.sha256()
    for path in [*sorted(lake.glob("gen=*/**/*.parquet")), lake / "CURRENT"]:
        whole.update(f"{path.relative_to(lake)}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def sweep(folder: Path, lake: Path, *more: str, program: str = PORTMORTEM) -> subprocess.CompletedProcess:
    line = [sys.executable, FLEET / "sweep.py", "--folder", folder, "--lake", lake, "--portmortem", program, *more]
    return subprocess.run([str(word) for word in line], capture_output=True, text=True, check=False)


def summary(done: subprocess.CompletedProcess) -> dict:
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])


class Fleet(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(tempfile.mkdtemp(prefix="fleet-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.captures = cls.place / "captures"
        cls.truth = made.make(cls.captures, SITES, CAPTURES // SITES)
        cls.lake = cls.place / "lake"
        done = sweep(cls.captures, cls.lake, "--no-spark")
        assert done.returncode == 0, done.stderr
        cls.digest = digest(cls.lake)

    def rows(self, question: str, engine: str = "duckdb", lake: Path | None = None, **values: str) -> list[dict]:
        columns, rows = ask.ask(lake or self.lake, question, engine, values)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def test_swept_again_nothing_changes(self) -> None:
        again = sweep(self.captures, self.lake, "--no-spark")
        self.assertEqual(again.returncode, 0, again.stderr)
        own = summary(again)
        self.assertEqual((own.get("there"), own.get("written")), (own["units"], None))
        self.assertEqual(digest(self.lake), self.digest)

    def test_shares_on_several_machines_give_the_same_lake(self) -> None:
        lake = self.place / "shares"
        runs = [threading.Thread(target=sweep, args=(self.captures, lake, "--no-spark", "--slice", f"{n}/2")) for n in (1, 2)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        self.assertEqual(digest(lake), self.digest)

    def test_a_sweep_that_was_killed_goes_on_where_it_was(self) -> None:
        lake = self.place / "killed"
        line = [sys.executable, FLEET / "sweep.py", "--folder", self.captures, "--lake", lake, "--no-spark"]
        child = subprocess.Popen(
            [str(word) for word in [*line, "--portmortem", PORTMORTEM]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while child.poll() is None and len(list(lake.glob("gen=*/captures/**/*.parquet"))) < 2:
            time.sleep(0.005)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self.assertTrue((lake / "_runs" / "lock").exists(), "the lock of a program that is gone")
        done = sweep(self.captures, lake, "--no-spark")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(summary(done).get("there", 0), 1)
        self.assertEqual(digest(lake), self.digest)
        self.assertFalse((lake / "_runs" / "lock").exists())

    def test_a_second_sweep_at_once_is_refused_by_name(self) -> None:
        lake = self.place / "locked"
        (lake / "_runs").mkdir(parents=True)
        holder = {"host": os.uname().nodename, "pid": os.getpid(), "run": "another"}
        (lake / "_runs" / "lock").write_text(json.dumps(holder))
        done = sweep(self.captures, lake, "--no-spark")
        self.assertEqual(done.returncode, 2)
        self.assertIn("another", done.stderr)
        self.assertEqual(list(lake.glob("gen=*")), [])

    def test_what_hangs_or_is_no_capture_is_left_out_and_named(self) -> None:
        captures, lake = self.place / "bad", self.place / "bad-lake"
        place = captures / "site=ams1" / "sensor=tap0"
        shutil.copytree(self.captures / "site=ams1" / "sensor=tap0", place)
        hanging = place / "h001.pcap"
        (place / "noise.pcap").write_bytes(bytes(range(128, 256)) * 40)
        whole = (place / "h000.pcap").read_bytes()
        (place / "h000.pcap").write_bytes(whole[:-7])
        program = self.place / "hangs"
        # It hangs on one capture, whatever else it reads.
        program.write_text(
            f'#!/bin/sh\ncase " $* " in *" --dry-run "*) ;; *"{hanging}"*) sleep 600;; esac\nexec "{PORTMORTEM}" "$@"\n'
        )
        program.chmod(0o755)
        done = sweep(captures, lake, "--no-spark", "--timeout", "3", program=str(program))
        self.assertEqual(done.returncode, 1, done.stderr)
        notes = [json.loads(path.read_text()) for path in (lake / "_quarantine").glob("*.json")]
        self.assertEqual([(Path(note["path"]).name, note["why"]) for note in notes], [("h001.pcap", "it took too long")])
        tables = [pq.read_table(path, partitioning=None) for path in lake.glob("gen=*/captures/**/*.parquet")]
        status = {row["capture"]: row["status"] for table in tables for row in table.to_pylist()}
        self.assertEqual((status["noise.pcap"], status["h000.pcap"]), ("quarantined", "damaged"))
        self.assertNotIn("h001.pcap", status)
        # It is not tried again unasked.
        again = sweep(captures, lake, "--no-spark", program=str(program))
        self.assertEqual(again.returncode, 0, again.stderr)
        # Asked for, with a program that does not hang, the day becomes whole.
        retried = sweep(captures, lake, "--no-spark", "--retry-quarantined")
        self.assertIn(retried.returncode, (0, 1), retried.stderr)
        counts = [
            row["capture"]
            for path in lake.glob("gen=*/captures/**/*.parquet")
            for row in pq.read_table(path, partitioning=None).to_pylist()
        ]
        self.assertIn("h001.pcap", counts)

    def test_a_lake_that_cannot_be_written_ends_the_sweep(self) -> None:
        if os.getuid() == 0 and shutil.which("mount") is None:
            self.skipTest("no file system of its own can be made")
        lake = self.place / "full"
        lake.mkdir()
        made_fs = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", lake], capture_output=True, check=False)
        if made_fs.returncode != 0:
            self.skipTest("no file system of its own can be made")
        try:
            done = sweep(self.captures, lake, "--no-spark")
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("space", done.stderr.lower())
        finally:
            subprocess.run(["umount", lake], check=True)

    @unittest.skipUnless(HAS_SPARK, "Spark needs Java (openjdk-17-jre-headless)")
    def test_a_cluster_that_loses_an_executor_gives_the_same_lake(self) -> None:
        lake = self.place / "spark"
        environment = {
            **os.environ,
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        settings = [
            "spark.ui.enabled=false",
            "spark.ui.showConsoleProgress=false",
            "spark.python.unix.domain.socket.enabled=true",
            "spark.executor.memory=1g",
            "spark.driver.memory=1g",
        ]
        line = [Path(sys.executable).with_name("spark-submit"), "--master", "local-cluster[2,1,1024]"]
        for setting in settings:
            line += ["--conf", setting]
        # Each unit takes a while, so that there is one to lose.
        slow = self.place / "slow"
        slow.write_text(f'#!/bin/sh\ncase " $* " in *" --dry-run "*) ;; *) sleep 1.5;; esac\nexec "{PORTMORTEM}" "$@"\n')
        slow.chmod(0o755)
        result = self.place / "result.json"
        line += [FLEET / "sweep.py", "--folder", self.captures, "--lake", lake, "--portmortem", slow, "--result", result]
        child = subprocess.Popen(
            [str(word) for word in line],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        killed = None
        until = time.monotonic() + CLUSTER_SECONDS
        while child.poll() is None and killed is None and time.monotonic() < until:
            if list(lake.glob("gen=*/captures/**/*.parquet")):
                killed = self.kill_executor(child.pid)
            time.sleep(0.05)
        try:
            out, _ = child.communicate(timeout=CLUSTER_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        self.assertEqual(child.returncode, 0, out[-3000:])
        import pyspark

        # A local cluster leaves its logs in the package, wherever it is told to put them.
        self.addCleanup(shutil.rmtree, Path(pyspark.__file__).parent / "work", ignore_errors=True)
        self.assertIsNotNone(killed, "an executor was killed")
        self.assertEqual(digest(lake), self.digest)
        again = subprocess.run([str(word) for word in line], env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(again.returncode, 0, again.stderr[-3000:])
        self.assertEqual(json.loads(result.read_text()).get("there"), json.loads(result.read_text())["units"])
        self.assertEqual(digest(lake), self.digest)

    @staticmethod
    def kill_executor(session: int) -> int | None:
        """Ends one executor of the cluster this test started."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes()
                own = os.getsid(int(entry.name)) == session
            except (FileNotFoundError, ProcessLookupError):
                continue
            if own and b"CoarseGrainedExecutorBackend" in words:
                os.kill(int(entry.name), signal.SIGKILL)
                return int(entry.name)
        return None

    def test_the_questions_are_answered_as_the_fleet_was_made(self) -> None:
        refused = {row["site"]: row["refusals"] for row in self.rows("refused") if row["service"] == "dns"}
        self.assertEqual(refused, dict(self.truth.refused))
        web = [row["refusals"] for row in self.rows("refused") if row["server_ip"] == made.WEB]
        self.assertEqual(web, [self.truth.resets])
        same = [row for row in self.rows("same_hour") if row["server_ip"] == made.OTHER_RESOLVER]
        self.assertEqual([row["hour_at"] // 1_000_000 for row in same], [self.truth.outage_hour_s])
        # Equal addresses of several sites are several hosts.
        self.assertEqual((same[0]["sites"], same[0]["clients"]), (len(self.truth.silent), len(self.truth.silent)))
        never = [(row["site"], row["client_ip"]) for row in self.rows("never_served")]
        self.assertEqual(never, self.truth.never_served)
        clients = {row["site"]: row["clients"] for row in self.rows("clients")}
        own = {site: len(made.CLIENTS) + (site in dict(self.truth.never_served)) for site in self.truth.sites}
        self.assertEqual(clients, own)
        errors = sum(row["errors"] for row in self.rows("errors"))
        self.assertEqual(errors, sum(self.truth.refused.values()))
        # What was asked in one file and refused in the next is tied.
        self.assertEqual({row["tie"] for row in self.rows("errors")} - {"exact", "probable"}, set())
        change = str(self.truth.outage_hour_s * 1_000_000_000)
        told = {row["site"]: row["before"] + row["after"] for row in self.rows("before_after", change_ns=change)}
        self.assertEqual(told, dict(self.truth.lookups))
        failures = sum(row["failures"] for row in self.rows("top_failing", rows="1000"))
        self.assertEqual(failures, sum(self.truth.refused.values()) + sum(self.truth.silent.values()) + self.truth.resets)
        bounds = [row for row in self.rows("bounds") if row["server_ip"] == made.RESOLVER]
        self.assertTrue(all(row["served_before_at"] < row["failed_first_at"] for row in bounds if row["served_before_at"]))
        self.assertTrue(self.rows("slowest"))
        self.assertEqual(self.rows("unreported"), [])

    def test_every_engine_gives_the_same_rows_before_and_after_compaction(self) -> None:
        lake = self.place / "compacted"
        shutil.copytree(self.lake, lake)
        done = subprocess.run([sys.executable, FLEET / "compact.py", "--lake", lake], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((lake / "CURRENT").read_text().strip().endswith("-c"))
        engines = ["duckdb", "datafusion", "chdb"] + (["spark"] if HAS_SPARK else [])
        for question in QUESTIONS:
            wanted = ask.ask(self.lake, question, "duckdb", {})
            for engine in engines:
                for place in (self.lake, lake):
                    with self.subTest(question=question, engine=engine, compacted=place == lake):
                        columns, rows = ask.ask(place, question, engine, {})
                        self.assertEqual(([name.lower() for name in columns], rows), wanted)
        # Compacted again it is the same.
        before = digest(lake)
        subprocess.run([sys.executable, FLEET / "compact.py", "--lake", lake], capture_output=True, check=True)
        self.assertEqual(digest(lake), before)

    def test_views_show_lookups_by_other_names(self) -> None:
        import duckdb

        engine = duckdb.connect()
        files = str(ask.folder(self.lake) / "dns" / "**" / "*.parquet")
        engine.execute(f"CREATE VIEW dns AS FROM read_parquet('{files}', hive_partitioning = false)")
        lookups = sum(self.truth.lookups.values())
        for name in ("zeek", "ecs", "ocsf"):
            engine.execute((FLEET / "views" / f"{name}.sql").read_text())
            found = engine.execute(f"SELECT count(*) FROM {name}_dns").fetchone()
            self.assertEqual(found, (lookups,))

    def test_a_row_leads_to_its_packet(self) -> None:
        row = self.rows("never_served")[0]
        file = self.captures / f"site={row['site']}" / "sensor=tap0" / row["evidence"].split("/")[1]
        done = subprocess.run([PORTMORTEM, "packets", str(file)], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(row["client_ip"], done.stdout)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        # The same by its name alone.
        line = [PORTMORTEM, "packets", "--lake-root", self.captures, f"{row['site']}/{row['evidence']}"]
        told = subprocess.run([str(word) for word in line], capture_output=True, text=True, check=False)
        self.assertEqual(told.stdout, done.stdout, told.stderr)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    bad = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - bad - len(result.skipped), 0)} passed, {bad} failed, {len(result.skipped)} skipped")
    sys.exit(bool(bad))
