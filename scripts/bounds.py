#!/usr/bin/env python3
"""Measures time and memory of every command on hostile files of one size, and prints them as a table for SECURITY.md.

    scripts/bounds.py --binary target/release/portmortem --megabytes 100
"""

import argparse
import gzip
import multiprocessing
import os
import pathlib
import random
import resource
import struct
import subprocess
import tempfile
import time

COMMANDS = [
    ["packets"], ["packets", "--format", "json"], ["attempts"], ["dns"], ["episodes"], ["findings"],
    ["report", "--no-case"], ["report", "--no-case", "--format", "json"], ["lint"],
]


def pcap(packets, size):
    out = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    at = 1_700_000_000
    for number, packet in enumerate(packets):
        out += struct.pack("<IIII", at + number // 1000, number % 1000 * 1000, len(packet), len(packet)) + packet
        if len(out) >= size:
            break
    return bytes(out)


def udp(source, destination, payload):
    head = struct.pack(">HHHH", *source[1:], *destination[1:], 8 + len(payload), 0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0, source[0], destination[0])
    return b"\0" * 12 + b"\x08\0" + ip + head + payload


def refused(rng):
    """Queries for names that never come twice, all refused: every table grows."""
    while True:
        name = rng.getrandbits(128).to_bytes(16, "big").hex().encode()
        client = rng.getrandbits(32).to_bytes(4, "big")
        identity = rng.getrandbits(16)
        question = bytes([len(name)]) + name + b"\0\0\1\0\1"
        yield udp((client, 5353), (b"\n\0\0\x35", 53), struct.pack(">HHHHHH", identity, 0x100, 1, 0, 0, 0) + question)
        yield udp((b"\n\0\0\x35", 53), (client, 5353), struct.pack(">HHHHHH", identity, 0x8185, 1, 0, 0, 0) + question)


def tiny(rng):
    while True:
        yield b""


def noise(rng):
    while True:
        yield rng.randbytes(rng.randrange(14, 300))


LINE = b"13:24:32.192571 IP 192.0.2.15.52444 > 203.0.113.2.domain: 35084+ A? example.com. (24)\n"


def zeros(size, rng):
    """A capture of nothing but zeros that unpacks to 300 times its size."""
    return gzip.compress(pcap(tiny(rng), 24) + bytes(size * 300), 1)


FILES = [
    ("refused names, none twice", ".pcap", lambda size, rng: pcap(refused(rng), size)),
    ("empty packets", ".pcap", lambda size, rng: pcap(tiny(rng), size)),
    ("random packets", ".pcap", lambda size, rng: pcap(noise(rng), size)),
    ("zeros packed by gzip", ".pcap.gz", zeros),
    ("text of one line again and again", ".txt", lambda size, rng: (LINE * (size // len(LINE) + 1))[:size]),
    ("text without a line break", ".txt", lambda size, rng: b"10:00:00 IP a > b: " * (size // 19)),
]


def make(content, size, path):
    path.write_bytes(content(size, random.Random(1)))


def measure(command, patience):
    begun = time.time()
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere)
        ended = None
        while time.time() - begun < patience:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                ended = (os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024)
                break
            time.sleep(0.01)
    if ended is None:
        process.kill()
        process.wait()
        return None
    return time.time() - begun, *ended


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/portmortem")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--patience", type=int, default=300, help="seconds after which a run counts as hung")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    binary = str(pathlib.Path(options.binary).resolve())
    print("| file | command | seconds | MiB | exit |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for what, ending, content in FILES:
            path = pathlib.Path(folder) / f"hostile{ending}"
            # In a process of its own: what this one ever held would count as memory of those it starts.
            maker = multiprocessing.Process(target=make, args=(content, int(options.megabytes * 1_000_000), path))
            maker.start()
            maker.join()
            for command in COMMANDS:
                took = measure([binary, *command, str(path)], options.patience)
                row = f"{took[0]:.1f} | {took[2]:.0f} | {took[1]}" if took else f"over {options.patience} | | killed"
                print(f"| {what} ({path.stat().st_size / 1e6:.1f} MB) | `{' '.join(command)}` | {row} |", flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
