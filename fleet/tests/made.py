"""Makes the captures of a small fleet, and says what is true of them: healthy noise, and outages of known size."""

from __future__ import annotations

import argparse
import random
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

BEGIN_S = 1_715_644_800
"""2024-05-14 00:00 UTC."""
HOUR_S = 3600
RESOLVER = "192.0.2.53"
OTHER_RESOLVER = "198.51.100.53"
WEB = "203.0.113.25"
NEVER_SERVED = "10.0.0.99"
CLIENTS = ["10.0.0.11", "10.0.0.12", "10.0.0.13"]
"""The same at every site: they are other hosts there."""


def address(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(source: str, target: str, protocol: int, payload: bytes, number: int) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), number, 0, 64, protocol, 0)
    head += address(source) + address(target)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(source: tuple[str, int], target: tuple[str, int], payload: bytes, number: int) -> bytes:
    head = struct.pack(">HHHH", source[1], target[1], 8 + len(payload), 0)
    return ip(source[0], target[0], 17, head + payload, number)


def tcp(source: tuple[str, int], target: tuple[str, int], numbers: tuple[int, int], flags: int) -> bytes:
    head = struct.pack(">HHIIBBHHH", source[1], target[1], *numbers, 0x50, flags, 64240, 0, 0)
    pseudo = address(source[0]) + address(target[0]) + struct.pack(">BBH", 0, 6, len(head))
    head = head[:16] + struct.pack(">H", checksum(pseudo + head)) + head[18:]
    return ip(source[0], target[0], 6, head, numbers[0] & 0xFFFF)


def unreachable(by: str, about: bytes, code: int) -> bytes:
    body = struct.pack(">BBHI", 3, code, 0, 0) + about
    body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
    return ip(by, ".".join(str(octet) for octet in about[12:16]), 1, body, 0)


def question(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return labels + b"\0" + struct.pack(">HH", 1, 1)


def query(number: int, name: str) -> bytes:
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + question(name)


def answer(number: int, name: str) -> bytes:
    record = struct.pack(">HHHIH", 0xC00C, 1, 1, 300, 4) + address(WEB)
    return struct.pack(">HHHHHH", number, 0x8180, 1, 1, 0, 0) + question(name) + record


@dataclass
class Truth:
    """What is true of the fleet."""

    captures: int = 0
    lookups: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    silent: Counter = field(default_factory=Counter)
    resets: int = 0
    never_served: list[tuple[str, str]] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    outage_hour_s: int = 0


class Site:
    """The packets of one site, in order of time."""

    def __init__(self, name: str, truth: Truth, seed: int) -> None:
        self.name, self.truth = name, truth
        self.random = random.Random(seed)
        self.packets: list[tuple[int, bytes]] = []
        self.number = 0

    def put(self, at_us: int, packet: bytes) -> None:
        self.packets.append((at_us, b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0" + packet))

    def ask(self, at_us: int, client: str, server: str, name: str, ends: str) -> None:
        """One lookup: answered, refused, refused after a while, or silent (asked three times)."""
        self.number += 1
        number = self.random.randrange(65536)
        source, target = (client, 20_000 + self.number % 40_000), (server, 53)
        asked = udp(source, target, query(number, name), self.number & 0xFFFF)
        self.put(at_us, asked)
        self.truth.lookups[self.name] += 1
        if ends == "answered":
            rtt_us = self.random.randrange(2_000, 30_000)
            self.put(at_us + rtt_us, udp(target, source, answer(number, name), self.number & 0xFFFF))
        elif ends == "silent":
            self.truth.silent[self.name] += 1
            for again in (1, 2):
                self.put(at_us + again * 5_000_000, udp(source, target, query(number, name), (self.number + again) & 0xFFFF))
        else:
            self.truth.refused[self.name] += 1
            self.put(at_us + (1_500_000 if ends == "refused late" else 400), unreachable(server, asked, 3))

    def connect(self, at_us: int, client: str) -> None:
        """A connection that is reset."""
        self.number += 1
        source, target = (client, 20_000 + self.number % 40_000), (WEB, 443)
        begin = self.random.randrange(1 << 32)
        self.put(at_us, tcp(source, target, (begin, 0), 2))
        self.put(at_us + 900, tcp(target, source, (0, (begin + 1) % (1 << 32)), 0x14))
        self.truth.resets += 1

    def live(self, number: int, hours: int, sites: int) -> None:
        """Its hours: noise, and what goes wrong."""
        for hour in range(hours):
            begin_us = (BEGIN_S + hour * HOUR_S) * 1_000_000
            for second in range(5, HOUR_S - 60, 90):
                client = CLIENTS[self.random.randrange(3)]
                jitter_us = self.random.randrange(1_000_000)
                name = f"host{self.random.randrange(40)}.example.com"
                self.ask(begin_us + second * 1_000_000 + jitter_us, client, RESOLVER, name, "answered")
            at = begin_us + 600_000_000
            # The resolver of this site refuses in an hour of its own.
            if hour == number % max(hours - 3, 1):
                for turn in range(20):
                    self.ask(at + turn * 2_000_000, CLIENTS[turn % 2], RESOLVER, f"app{turn % 3}.example.net", "refused")
            # The other resolver is silent at several sites in one hour.
            if hour == hours - 2:
                self.truth.outage_hour_s = BEGIN_S + hour * HOUR_S
                if number < max(sites - 1, 4):
                    for turn in range(5):
                        self.ask(at + 60_000_000 + turn * 7_000_000, CLIENTS[2], OTHER_RESOLVER, "db.example.org", "silent")
            # An outage over the moment of rotation: asked in one file, refused in the next.
            if number == 1 and hour == 2:
                end = begin_us + HOUR_S * 1_000_000
                for turn in range(6):
                    self.ask(end - 1_200_000 + turn * 300_000, CLIENTS[0], RESOLVER, "cut.example.net", "refused late")
            if number == 2:
                self.ask(at + 120_000_000, NEVER_SERVED, RESOLVER, "late.example.net", "refused")
            if number == 0 and hour == 1:
                for turn in range(5):
                    self.connect(at + turn * 3_000_000, CLIENTS[1])
        if number == 2:
            self.truth.never_served.append((self.name, NEVER_SERVED))


def make(folder: Path, sites: int, hours: int) -> Truth:
    """Writes `site=S/sensor=tap0/HOUR.pcap`, and gives what is true."""
    truth = Truth(captures=sites * hours)
    for number in range(sites):
        # Engines that guess types take these for numbers.
        name = ["ams1", "007", "1e3"][number] if number < 3 else f"site{number}"
        truth.sites.append(name)
        site = Site(name, truth, number)
        site.live(number, hours, sites)
        site.packets.sort(key=lambda packet: packet[0])
        place = folder / f"site={name}" / "sensor=tap0"
        place.mkdir(parents=True, exist_ok=True)
        for hour in range(hours):
            begin_us, end_us = ((BEGIN_S + (hour + more) * HOUR_S) * 1_000_000 for more in (0, 1))
            data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
            last = hour == hours - 1
            for at_us, frame in site.packets:
                if begin_us <= at_us and (last or at_us < end_us):
                    data += struct.pack("<IIII", *divmod(at_us, 1_000_000), len(frame), len(frame)) + frame
            (place / f"h{hour:03}.pcap").write_bytes(data)
    return truth


def main() -> None:
    own = argparse.ArgumentParser(description=__doc__)
    own.add_argument("folder", type=Path)
    own.add_argument("--captures", type=int, default=30)
    own.add_argument("--sites", type=int, default=5)
    given = own.parse_args()
    print(make(given.folder, given.sites, given.captures // given.sites))


if __name__ == "__main__":
    main()
