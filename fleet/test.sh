#!/usr/bin/env bash
# Sweeps, compacts and asks a made fleet: packages into a virtual environment, Java from Debian. FLEET_CAPTURES=500 for the large one.
set -eu
cd "$(dirname "$0")/.."
binary=${1:-target/release/portmortem}
[ -x "$binary" ] || cargo build --release --locked
binary=$(realpath "$binary")
if ! command -v java >/dev/null 2>&1; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq </dev/null
    for version in 21 17; do # Spark 4 takes either
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "openjdk-$version-jre-headless" </dev/null && break
    done || echo "there is no Java: what needs Spark is left out"
fi
place=${FLEET_VENV:-target/fleet-venv}
if ! [ -x "$place/bin/pip" ] && ! python3 -m venv "$place"; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv </dev/null
    python3 -m venv --clear "$place"
fi
"$place/bin/pip" install -q --require-hashes -r fleet/requirements.txt
"$place/bin/ruff" format --check fleet
"$place/bin/ruff" check fleet
PORTMORTEM="$binary" "$place/bin/python" fleet/tests/test_fleet.py
