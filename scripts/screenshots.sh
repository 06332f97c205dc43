#!/usr/bin/env bash
# Makes screenshots/*.png from the real program's terminal output.
#
# `screenshots.sh [PROGRAM]`. Needs rsvg-convert (Debian package librsvg2-bin) and the font DejaVu Sans Mono (fonts-dejavu-core).
set -eu
cd "$(dirname "$0")/.."
command -v rsvg-convert >/dev/null || { echo "screenshots.sh needs rsvg-convert (librsvg2-bin)" >&2; exit 2; }
program=${1:-target/release/portmortem}
[ $# -gt 0 ] || cargo build --release --quiet
cargo build --quiet --example screenshot
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

shot() { # name size step... : the sample is the first word of the name
    name=$1 size=$2
    shift 2
    target/debug/examples/screenshot "$work/$name.svg" "$size" "$@" -- "$program" --sample "${name%%-*}"
    rsvg-convert --zoom 1 "$work/$name.svg" -o "screenshots/$name.png"
    echo "screenshots/$name.png"
}

filter=(type=/ "type=dns or icmp.error" key=enter)
problem=('type=]' 'type=]' 'type=]' 'type=]' 'type=]' 'type=]')
shot seed-wide 160x45 wait=claims 'type=]'
shot seed-narrow 80x24 'wait=So what' 'type=]'
shot office-wide 160x45 wait=claims "${filter[@]}" "${problem[@]}"
shot office-narrow 80x24 wait=Timeline "${filter[@]}" 'wait=705 of 3,627' "${problem[@]}"
shot office-ladder 130x40 wait=cited "${problem[@]}" type=L
shot seed-words 130x40 wait=cited 'type=]' type=w type=W
