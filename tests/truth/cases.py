#!/usr/bin/env python3
"""Runs portmortem on inputs whose right reading is known.

    cases.py [DIR...] [--cmd PROGRAM] [--only REGEX] [--failing] [--open FILE]

Without a DIR all folders beside this script are run. Each holds input files and `cases.jsonl`, one JSON object a line:
  id, files, command (arguments before the files), why, grave (blocker, serious or minor), and any of
  lines     number of output lines that hold a JSON object
  jq        expressions that must yield true over all JSON values of the output (`jq -s -e`), with the
            words that cases.jq beside this script defines
  must      regular expressions that must match standard output and standard error together
  must_not  regular expressions that must not match them (both: case-insensitive, multi-line)
The files are copied and named 1.pcap, 2.txt, ..., because the program writes a case file beside a
capture and a file name must not satisfy a check. In `command`, FILE stands for the files where
arguments follow them. Needs jq. Exit status: 1 if a case fails.

With --open the ids in FILE (one a line, # begins a comment) are known to fail: exit status 1 if another
case fails, and also if one of these passes or does not exist any more, so that the list only shrinks.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

LIMIT_S = 30
HERE = Path(__file__).resolve().parent
WORDS = (HERE / "cases.jq").read_text()


def run(command, case, folder):
    """Output, standard error, and a note if the program ran too long or died by a signal."""
    with tempfile.TemporaryDirectory(prefix="cases-") as tmp:
        names = [f"{number}{Path(file).suffix}" for number, file in enumerate(case["files"], 1)]
        for file, name in zip(case["files"], names):
            shutil.copyfile(folder / file, Path(tmp, name))
        words = case["command"].split()
        at = words.index("FILE") if "FILE" in words else len(words)
        words[at:at + 1] = names
        env = {**os.environ, "HOME": tmp, "XDG_CONFIG_HOME": tmp, "XDG_STATE_HOME": tmp}
        try:
            done = subprocess.run([command, *words], cwd=tmp, env=env, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return "", "", f"ran longer than {LIMIT_S} s"
    crash = f"ended by signal {-done.returncode}" if done.returncode < 0 else None
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), crash


def short(text, limit=200):
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit - 3] + "..."


def check(case, out, err):
    """Yields one line for each check of the case that does not hold."""
    said = short(err or out) or "no output"
    if not out.strip() and "must" not in case:
        yield f"no output: {said}"
    if "lines" in case:
        count = sum(line.startswith("{") for line in out.splitlines())
        if count != case["lines"]:
            yield f"lines: {count}, not {case['lines']}: {said if not count else ''}"
    for expression in case.get("jq", []):
        done = subprocess.run(["jq", "-s", "-e", WORDS + expression], input=out.encode(), capture_output=True)
        if done.returncode == 3:
            raise SystemExit(f"{case['id']}: {done.stderr.decode()}")
        if done.returncode or done.stdout.split()[-1:] != [b"true"]:
            why = short(done.stderr.decode(), 100)
            yield f"jq: {short(expression)}" + (f" ({why})" if why else "") + (f": {said}" if not out else "")
    both = out + "\n" + err
    flags = re.IGNORECASE | re.MULTILINE
    for pattern in case.get("must", []):
        if not re.search(pattern, both, flags):
            yield f"must: {pattern}: {said if len(both) < 400 else 'not found'}"
    for pattern in case.get("must_not", []):
        if match := re.search(pattern, both, flags):
            start = both.rfind("\n", 0, match.start()) + 1
            end = both.find("\n", match.end())
            line = both[max(start, match.start() - 80):end]
            yield f"must_not: {pattern}: {short(line)}"


def known(file):
    """The ids of a list of cases that are known to fail."""
    lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
    return {line for line in lines if line}


def differences(file, failed, passed, whole):
    """Yields one line for each case that does other than the list says; whole: all cases were run."""
    listed = known(file)
    for id in sorted(failed - listed):
        yield f"{id} fails and is not in {file.name}"
    for id in sorted(listed & passed):
        yield f"{id} passes: take it out of {file.name}"
    for id in sorted(listed - failed - passed if whole else ()):
        yield f"{id} is in {file.name} and no case has this id"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="DIR", nargs="*", type=Path)
    parser.add_argument("--cmd", default="portmortem", help="the program (default: portmortem)")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose id matches")
    parser.add_argument("--failing", action="store_true", help="print only the ids of failing cases")
    parser.add_argument("--open", type=Path, metavar="FILE", help="ids of cases that are known to fail")
    args = parser.parse_args()
    folders = args.folders or sorted(found.parent for found in HERE.glob("*/cases.jsonl"))
    command = os.path.abspath(shutil.which(args.cmd) or sys.exit(f"no program {args.cmd}"))
    totals, failed, passed = [], set(), set()
    for folder in folders:
        counts = Counter()
        for line in (folder / "cases.jsonl").read_text().splitlines():
            case = json.loads(line)
            if not re.search(args.only, case["id"]):
                continue
            out, err, crash = run(command, case, folder)
            faults = [crash] if crash else list(check(case, out, err))
            counts["failed" if faults else "passed"] += 1
            (failed if faults else passed).add(case["id"])
            if faults:
                counts[case["grave"]] += 1
            if faults and args.failing:
                print(case["id"])
            elif faults and not (args.open and case["id"] in known(args.open)):
                print(f"{case['id']} [{case['grave']}] {faults[0]}"
                      + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""))
        grades = ", ".join(f"{counts[g]} {g}" for g in ("blocker", "serious", "minor") if counts[g])
        totals.append(f"{folder.name}: {counts['passed']} passed, {counts['failed']} failed"
                      + (f" ({grades})" if grades else ""))
    print("\n".join(totals))
    if args.open is None:
        return int(bool(failed))
    found = list(differences(args.open, failed, passed, not args.folders and not args.only))
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
