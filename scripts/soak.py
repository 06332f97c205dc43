#!/usr/bin/env python3
"""Opens captures and damaged copies of them, kills the program while notes are written, fills its disk, cuts its files.

Prints one table: what was done how often, and how often it went wrong. Every part is bounded by an argument.

    scripts/soak.py --binary target/release/portmortem --captures tests/captures --mutants 2000 --kills 200

Needs Linux and Python 3.9. The full disk needs root (a small tmpfs is mounted for it), and the list of written files
strace; without them those rows say "not run".
"""

import argparse
import fcntl
import json
import os
import pathlib
import pty
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROWS = []
SAVED = "case saved"


def row(what, times, wrong, note=""):
    ROWS.append((what, times, wrong, note))
    print(f"{what:58} {times:>7} {wrong:>6}  {note}", flush=True)


def mutate(data, rng):
    """Flipped bytes, extreme lengths, cuts, repeats: headers and payloads alike."""
    data = bytearray(data[:200_000])
    for _ in range(rng.randint(1, 40)):
        if not data:
            break
        at, kind = rng.randrange(len(data)), rng.randrange(8)
        if kind < 4:
            data[at] = rng.randrange(256)
        elif kind == 4:
            data[at:at + 4] = struct.pack("<I", rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF]))
        elif kind == 5:
            del data[max(at, 24):]
        elif kind == 6:
            data += data[at:at + rng.randrange(200)]
        else:
            del data[at:at + rng.randrange(60)]
    return bytes(data)


class Screen:
    """The program in a pseudo-terminal."""

    def __init__(self, options, arguments, home, cwd=None, stdin=None):
        self.text = ""
        environment = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "HOME": str(home), "PATH": os.environ["PATH"],
                       "TMPDIR": str(home)}
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 160, 0, 0))

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [options.binary, *map(str, arguments)], stdin=stdin or slave, stdout=slave, stderr=slave,
            preexec_fn=own_terminal, env=environment, cwd=cwd or home, close_fds=True)
        os.close(slave)
        self.master = master

    def read(self, seconds):
        end = time.time() + seconds
        while time.time() < end:
            ready, _, _ = select.select([self.master], [], [], max(0, min(0.05, end - time.time())))
            if ready:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    return
                if not data:
                    return
                self.text += data.decode("utf-8", "replace")

    def wait(self, word, seconds=60):
        """Whether a word came; cursor movements between its letters are passed over."""
        end = time.time() + seconds
        pattern = re.compile(r"(?:\x1b\[[0-9;?]*[A-Za-z])*".join(map(re.escape, word)))
        while time.time() < end:
            if pattern.search(self.text):
                return True
            if self.process.poll() is not None:
                self.read(0.1)
                return bool(pattern.search(self.text))
            self.read(0.05)
        return False

    def send(self, text):
        os.write(self.master, text.encode())

    def end(self, seconds=30):
        """The exit code; None where it hangs."""
        end = time.time() + seconds
        while time.time() < end:
            self.read(0.02)
            if self.process.poll() is not None:
                self.read(0.1)
                return self.process.returncode
        self.process.kill()
        self.process.wait()
        return None

    def close(self):
        try:
            os.close(self.master)
        except OSError:
            pass


def kept(home):
    """Everything the program has on disk."""
    text = ""
    for path in pathlib.Path(home).rglob("*portmortem*"):
        if path.is_file():
            text += path.read_text("utf-8", "replace")
    return text


def headless(options, files, rng, work):
    """packets, findings and report on every file."""
    crashed = hung = raw = 0
    runs = 0
    for path in files:
        for command in (["packets"], ["findings"], ["report", "--no-case"]):
            runs += 1
            try:
                done = subprocess.run([options.binary, *command, str(path)], capture_output=True, timeout=options.patience,
                                      stdin=subprocess.DEVNULL, env={"HOME": str(work), "PATH": os.environ["PATH"]})
            except subprocess.TimeoutExpired:
                hung += 1
                print("HUNG", command, path)
                continue
            if done.returncode not in (0, 1, 2):
                crashed += 1
                print("CRASHED", done.returncode, command, path, done.stderr[-400:])
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            raw += any(ord(c) < 32 and c not in "\n\t" or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E for c in said)
    return runs, crashed, hung, raw


def drive(options, files, rng, work):
    """Every panel and a filter on the screen, then q."""
    wrong = 0
    for path in files:
        screen = Screen(options, [path], work)
        if screen.wait("Timeline", options.patience) or screen.process.poll() in (1, 2):
            for keys in ("G", "2", "3", "4", "c", "d", "L", "w", "b", "/dns or icmp\r", "\x1b", "1", "gg", "j" * 5):
                if screen.process.poll() is None:
                    screen.send(keys)
                    screen.read(0.03)
            if screen.process.poll() is None:
                screen.send("\x1b")
                screen.read(0.1)
                screen.send("q")
        code = screen.end(options.patience)
        restored = "\x1b[?1049h" not in screen.text or "\x1b[?1049l" in screen.text
        if code not in (0, 1, 2) or not restored:
            wrong += 1
            print("SCREEN", code, path)
        screen.close()
    return wrong


def annotate(options, seed, home, way, number):
    """A session that has confirmed one note; the screen and the note."""
    note = f"confirmed {way} {number} {random.getrandbits(40):x}"
    capture = home / "c.pcap"
    feeder = None
    if way == "pipe":
        fifo = home / "pipe"
        os.mkfifo(fifo)
        screen = Screen(options, [fifo], home)
        feeder = open(fifo, "wb", buffering=0)
        feeder.write(seed)
    else:
        capture.write_bytes(seed)
        screen = Screen(options, (["--follow"] if way == "followed file" else []) + [capture], home)
    if not screen.wait("claims" if way == "file" else "first "):
        raise SystemExit(f"the program did not come up:\n{screen.text[-2000:]}")
    screen.send("a")
    screen.wait("Ctrl-s")
    screen.send(note)
    screen.read(0.05)
    screen.send("\x13")
    confirmed = screen.wait(SAVED)
    return screen, note if confirmed else None, feeder


def kills(options, seed, rng):
    """kill -9 at a random moment after a note was confirmed and while another is typed."""
    for way in ("file", "followed file", "pipe"):
        lost = unconfirmed = lost_typing = 0
        count = options.kills // 3 + (options.kills % 3 > 0)
        for number in range(count):
            home = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
            screen, note, feeder = annotate(options, seed, home, way, number)
            screen.send("a")
            screen.read(0.05)
            typed = "typed and never saved"
            screen.send(typed)
            waited = rng.random() * 2.5
            screen.read(waited)
            screen.process.kill()
            screen.process.wait()
            screen.close()
            if feeder:
                feeder.close()
            disk = kept(home)
            if way == "pipe":
                captures = list((home / ".local/share/portmortem/live").glob("*.capture"))
                lost += not captures or captures[0].read_bytes() != seed
            if note is None:
                unconfirmed += 1
            elif note not in disk:
                lost += 1
            # More than a second (and the time to write) after the last key it must be there.
            lost_typing += waited > 2 and typed not in disk
            shutil.rmtree(home, ignore_errors=True)
        row(f"killed while annotating a {way}: confirmed notes lost", count, lost, f"{unconfirmed} not confirmed in time")
        row(f"  half-written notes lost, two seconds after the last key", count, lost_typing)


def signals(options, seed):
    wrong = 0
    for number, name in enumerate(("TERM", "HUP", "INT", "QUIT")):
        home = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
        screen, note, _ = annotate(options, seed, home, "file", number)
        value = getattr(signal, "SIG" + name)
        screen.process.send_signal(value)
        code = screen.end()
        good = code == 128 + value and "\x1b[?1049l" in screen.text and note in kept(home)
        wrong += not good
        screen.close()
        shutil.rmtree(home, ignore_errors=True)
    row("ended by TERM, HUP, INT, QUIT: not saved or not restored", 4, wrong)


def dropped_terminal(options, seed):
    wrong = 0
    for number in range(options.drops):
        home = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
        screen, note, _ = annotate(options, seed, home, "file", number)
        screen.send("a")
        screen.read(0.1)
        screen.send("typed as the line dropped")
        screen.read(0.3)
        screen.close()
        try:
            code = screen.process.wait(30)
        except subprocess.TimeoutExpired:
            screen.process.kill()
            code = None
        disk = kept(home)
        good = code == 129 and note in disk and "typed as the line dropped" in disk
        if not good:
            wrong += 1
            print("DROPPED", code, note in disk, "typed as the line dropped" in disk)
        shutil.rmtree(home, ignore_errors=True)
    row("terminal dropped: not ended by 129, or a note or draft lost", options.drops, wrong)


def cut_files(options, seed):
    wrong = 0
    for number in range(options.cuts):
        home = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
        capture = home / "large.pcap"
        capture.write_bytes(seed[:24] + seed[24:] * 3000)
        way = ("cut", "overwritten", "removed", "followed and cut")[number % 4]
        screen = Screen(options, (["--follow"] if "followed" in way else []) + [capture], home)
        screen.wait("packets")
        screen.wait("claims")
        if way == "removed":
            capture.unlink()
        elif way == "overwritten":
            capture.write_bytes(b"\x00" * 5000 + seed * 40)
        else:
            os.truncate(capture, 30_000)
        words = {"cut": "cut while open at byte", "overwritten": "while open", "removed": "removed while open",
                 "followed and cut": "cut while it was followed"}
        told = screen.wait(words[way], 20)
        screen.send("G")
        screen.read(0.2)
        screen.send("gg")
        screen.read(0.2)
        screen.send("q")
        code = screen.end()
        if code != 0 or not told:
            wrong += 1
            print("CUT", way, code, told)
        screen.close()
        shutil.rmtree(home, ignore_errors=True)
    row("capture cut, overwritten, removed under the screen: ended or untold", options.cuts, wrong)


def full_disk(options, seed):
    what = "disk full: not told, or not saved when there was room"
    place = pathlib.Path(tempfile.mkdtemp(prefix="soak-full-"))
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]).returncode != 0:
        row(what, 0, 0, "not run: needs root")
        return
    wrong = 0
    try:
        for number in range(options.disks):
            home = place / str(number)
            home.mkdir()
            screen, note, _ = annotate(options, seed, home, "file", number)
            filler = place / "filler"
            out = os.open(filler, os.O_WRONLY | os.O_CREAT)
            for size in (4096, 1):
                try:
                    while os.write(out, b"x" * size):
                        pass
                except OSError:
                    pass
            os.close(out)
            screen.send("a")
            screen.read(0.2)
            second = f"while the disk was full {number}"
            screen.send(second + " " + "y" * 6000 + "\x13")
            told = screen.wait("case NOT saved", 20)
            filler.unlink()
            saved = screen.wait("everything is saved again", 20)
            screen.send("\x1bq")
            screen.end()
            disk = kept(home)
            wrong += not (told and saved and note in disk and second in disk)
            if not (told and saved):
                print("DISK", told, saved)
            screen.close()
            shutil.rmtree(home, ignore_errors=True)
    finally:
        subprocess.run(["umount", "-l", place])
        place.rmdir()
    row(what, options.disks, wrong)


def hostile_folder(options, seed):
    """Somebody's folder with links in the places of the program's files, under strace."""
    what = "somebody's folder opened: files written outside of it"
    root = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
    home, theirs = root / "home", root / "theirs"
    home.mkdir()
    theirs.mkdir()
    (theirs / "c.pcap").write_bytes(seed)
    victim = home / "victim"
    victim.write_text("mine")
    line = json.dumps({"n": 1, "at": "x", "event": {"do": "fill", "field": "f", "value": "theirs"}})
    (theirs / "c.pcap.portmortem.journal").write_text(line + "\nbroken\n")
    for name in ("c.pcap.portmortem.journal.damaged", "c.pcap.portmortem.json.tmp", "c.md", "c.zip"):
        (theirs / name).symlink_to(victim)
    if not shutil.which("strace"):
        binary, log = options.binary, None
    else:
        log = root / "strace"
        wrapper = root / "wrapper"
        calls = "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,unlink,unlinkat"
        wrapper.write_text(f"#!/bin/sh\nexec strace -f -y -o {log} -e trace={calls} {options.binary} \"$@\"\n")
        wrapper.chmod(0o755)
        binary = str(wrapper)
    own = argparse.Namespace(**{**vars(options), "binary": binary})
    screen = Screen(own, ["c.pcap"], home, cwd=theirs)
    screen.wait("claims", 120)
    screen.send("a")
    screen.read(0.5)
    screen.send("a note\x13")
    screen.wait(SAVED, 60)
    screen.send("q")
    screen.end(60)
    screen.close()
    outside = 0
    if log:
        allowed = tuple(map(str, (theirs, home / ".local/share/portmortem", "/dev/", "/proc/self")))
        for text in log.read_text("utf-8", "replace").splitlines():
            writes = re.search(r"O_WRONLY|O_RDWR|O_CREAT|rename|link|mkdir", text)
            failed = re.search(r"= -1 ", text)
            # The folders the user's own data directory stands in may have to be made first.
            above = re.search(r'mkdir(?:at)?\(.*"(/[^"]*)"', text)
            is_above = above and str(home / ".local/share/portmortem").startswith(above.group(1))
            if not writes or failed or is_above or "O_PATH" in text:
                continue
            for path in re.findall(r'"(/[^"]*)"', text):
                is_temporary = path.startswith(str(home)) and "O_TMPFILE" in text
                if not path.startswith(allowed) and not is_temporary and "readlink" not in text:
                    outside += 1
                    print("OUTSIDE", text)
    outside += victim.read_text() != "mine"
    strangers = [p for p in home.rglob("*") if p.is_file() and p != victim and ".local/share/portmortem" not in str(p)]
    outside += len(strangers)
    row(what, 1, outside, "" if log else "without strace: by what is there afterwards")
    shutil.rmtree(root, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/debug/portmortem")
    parser.add_argument("--captures", nargs="+", default=["tests/captures"], help="files and folders of captures")
    parser.add_argument("--files", type=int, default=10_000, help="captures opened at most")
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--screens", type=int, default=200, help="of those, opened on the screen")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--drops", type=int, default=10)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--disks", type=int, default=5)
    parser.add_argument("--patience", type=int, default=60, help="seconds after which a run counts as hung")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.binary = str(pathlib.Path(options.binary).resolve())
    rng = random.Random(options.seed)
    random.seed(options.seed)

    files = []
    for place in map(pathlib.Path, options.captures):
        files += sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    files = [p for p in files if p.suffix not in (".json", ".md", ".toml", ".py")][:options.files]
    seeds = [p for p in files if p.name == "00_seed_reenacted.pcap"] or files
    seed = seeds[0].read_bytes()
    work = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
    print(f"{'what':58} {'times':>7} {'wrong':>6}")

    runs, crashed, hung, raw = headless(options, files, rng, work)
    row("packets, findings, report on captures: crashes", runs, crashed)
    row("  hangs", runs, hung)
    row("  control characters in the output", runs, raw)
    mutants = []
    for number in range(options.mutants):
        path = work / f"mutant-{number}"
        path.write_bytes(mutate(rng.choice(files).read_bytes(), rng))
        mutants.append(path)
    runs, crashed, hung, raw = headless(options, mutants, rng, work)
    row("packets, findings, report on damaged captures: crashes", runs, crashed)
    row("  hangs", runs, hung)
    row("  control characters in the output", runs, raw)
    shown = rng.sample(files + mutants, min(options.screens, len(files) + len(mutants)))
    row("captures on the screen: crashed, hung, or terminal not restored", len(shown), drive(options, shown, rng, work))
    shutil.rmtree(work, ignore_errors=True)
    kills(options, seed, rng)
    signals(options, seed)
    dropped_terminal(options, seed)
    cut_files(options, seed)
    full_disk(options, seed)
    hostile_folder(options, seed)
    wrong = sum(wrong for _, _, wrong, _ in ROWS)
    print(f"{'in all':58} {'':>7} {wrong:>6}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
