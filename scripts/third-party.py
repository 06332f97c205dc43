#!/usr/bin/env python3
"""Writes THIRD-PARTY.md: what is built into the program, by whom, under which licence; with the notices that must go along.

`--check` only says whether it is as it would be written.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

AREV = '''Copyright (c) 2006 by Tavmjong Bah. All Rights Reserved.

Permission is hereby granted, free of charge, to any person obtaining a copy of the fonts accompanying this license ("Fonts") and
associated documentation files (the "Font Software"), to reproduce and distribute the modifications to the Bitstream Vera Font Software,
including without limitation the rights to use, copy, merge, publish, distribute, and/or sell copies of the Font Software, and to permit
persons to whom the Font Software is furnished to do so, subject to the following conditions:

The above copyright and trademark notices and this permission notice shall be included in all copies of one or more of the Font Software
typefaces.

The Font Software may be modified, altered, or added to, and in particular the designs of glyphs or characters in the Fonts may be
modified and additional glyphs or characters may be added to the Fonts, only if the fonts are renamed to names not containing either the
words "Tavmjong Bah" or the word "Arev".

This License becomes null and void to the extent applicable to Fonts or Font Software that has been modified and is distributed under the
"Tavmjong Bah Arev" names.

The Font Software may be sold as part of a larger software package but no copy of one or more of the Font Software typefaces may be sold by
itself.

THE FONT SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO ANY WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT OF COPYRIGHT, PATENT, TRADEMARK, OR OTHER RIGHT. IN NO EVENT SHALL
TAVMJONG BAH BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, INCLUDING ANY GENERAL, SPECIAL, INDIRECT, INCIDENTAL, OR CONSEQUENTIAL
DAMAGES, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF THE USE OR INABILITY TO USE THE FONT SOFTWARE OR FROM
OTHER DEALINGS IN THE FONT SOFTWARE.

Except as contained in this notice, the name of Tavmjong Bah shall not be used in advertising or otherwise to promote the sale, use or
other dealings in this Font Software without prior written authorization from Tavmjong Bah. For further information, contact: tavmjong @
free . fr.'''


def vera():
    """The notice that stands with the fonts."""
    lines = (ROOT / "assets/fonts/LICENSE").read_text().splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith("Copyright: Copyright (c) 2003 by Bitstream"))
    end = next(at for at, line in enumerate(lines) if line.startswith("Files: debian/"))
    text = [line.removeprefix("Copyright: ").removeprefix(" ") for line in lines[begin:end]]
    return "\n".join("" if line == "." else line for line in text).strip()


def crates():
    """Names, versions, licences and sources of everything that is linked in."""
    meta = json.loads(subprocess.check_output(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"], cwd=ROOT))
    packages = {package["id"]: package for package in meta["packages"]}
    nodes = {node["id"]: node for node in meta["resolve"]["nodes"]}
    waiting, seen = [meta["resolve"]["root"]], set()
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        for dependency in nodes[here]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    found = (packages[name] for name in seen if name != meta["resolve"]["root"])
    return sorted((p["name"], p["version"], p["license"] or "?", p["repository"] or "") for p in found)


def main():
    out = ["# What is built in", "", "Made by `scripts/third-party.py` from the lock file.", "", "## Fonts", "",
           "DejaVu Sans, DejaVu Sans Bold and DejaVu Sans Mono are embedded for PDF and DOCX. DejaVu's own changes are in the public",
           "domain. The fonts they are made of carry these notices:", "", "### Bitstream Vera", "", "```", vera(), "```", "",
           "### Arev", "", "```", AREV, "```", "", "## Mozilla Public License 2.0", "",
           "`nucleo-matcher` is used unchanged. Its source is at <https://crates.io/crates/nucleo-matcher> and at",
           "<https://github.com/helix-editor/nucleo>, its licence at <https://www.mozilla.org/MPL/2.0/>.", "", "## Crates", "",
           "| crate | version | licence | source |", "|---|---|---|---|"]
    for name, version, licence, source in crates():
        out.append(f"| {name} | {version} | {licence} | {f'<{source}>' if source else ''} |")
    text, place = "\n".join(out) + "\n", ROOT / "THIRD-PARTY.md"
    if sys.argv[1:] == ["--check"]:
        sys.exit("THIRD-PARTY.md is stale: run scripts/third-party.py" if place.read_text() != text else 0)
    place.write_text(text)


if __name__ == "__main__":
    main()
