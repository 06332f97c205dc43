#!/usr/bin/env bash
# Times the program beside tshark, tcpdump and capinfos on the same capture, in one run, and prints ratios.
#
#   scripts/peers.sh [FILE]      without FILE a capture is generated (MIB=256 sets its size)
#
# Needs hyperfine and whichever peers are to be compared; a peer that is missing is left out and named.
set -eu
cd "$(dirname "$0")/.."
command -v hyperfine >/dev/null || { echo "peers.sh needs hyperfine" >&2; exit 2; }

cargo build --release --quiet
program=target/release/portmortem
file=${1:-}
if [ -z "$file" ]; then
    file=target/peers.pcap
    cargo run --release --quiet --example generate -- ordinary "$file" "${MIB:-256}" 1
fi
results=$(mktemp)
trap 'rm -f "$results"' EXIT
cat "$file" >/dev/null # into the page cache

compare() { # title command...: the first command is ours
    title=$1
    shift
    commands=()
    for command in "$@"; do
        tool=${command%% *}
        if [ "$tool" = "$program" ] || command -v "$tool" >/dev/null; then
            commands+=("$command >/dev/null 2>&1")
        else
            echo "   ($tool is not installed)"
        fi
    done
    hyperfine --shell bash --ignore-failure --warmup 1 --min-runs "${RUNS:-5}" --style none --export-csv "$results" "${commands[@]}" >/dev/null 2>&1
    echo "== $title"
    awk -F, 'NR == 2 { ours = $2 } NR > 1 {
        command = $1; sub(/ >\/dev\/null.*/, "", command)
        printf "  %8.3f s  %6.2fx  %s\n", $2, $2 / ours, command
    }' "$results"
}

echo "$file: $(stat -c %s "$file") bytes; the ratio is time against ours"
compare "DNS and ICMP, with what ties them" \
    "$program packets --format json --filter 'dns or icmp' $file" \
    "tshark -n -r $file -Y 'dns||icmp'" \
    "tcpdump -nr $file 'udp port 53 or icmp'" \
    "capinfos -c $file"
compare "one port" \
    "$program packets --filter 'udp port 53' $file" \
    "tcpdump -nr $file 'udp port 53'"
compare "ICMP errors only" \
    "$program packets --format json --filter icmp.error $file" \
    "tshark -n -r $file -Y 'icmp.type==3'"
unpack() { # name packer unpacker
    packed=target/peers.$1
    command -v "$2" >/dev/null || { echo "   ($2 is not installed)"; return; }
    "$2" -c "$file" >"$packed"
    compare "opened from $1, beside unpacking alone" \
        "$program packets --format json --filter icmp.error $packed" \
        "$3 $packed | wc -c"
    rm -f "$packed"
}
unpack gzip gzip zcat
unpack zstd zstd zstdcat
