#!/usr/bin/env bash
# Opens every export with the programs people use. exports.sh check [PROGRAM] tests them, leaving out what is not
# installed; exports.sh pictures [PROGRAM] makes the pictures in screenshots/.
set -eu
cd "$(dirname "$0")/.."
what=${1:-check}
program=${2:-target/release/portmortem}
case $program in /*) ;; *) program=$PWD/$program ;; esac
shots=$PWD/screenshots
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

has() { command -v "$1" >/dev/null 2>&1 || { echo "skipped: $1 is not installed"; return 1; }; }
browser() {
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null 2>&1 && { echo "$name"; return; }
    done
}
shot() { # FILE.html OUT.png WIDTH,HEIGHT
    "$(browser)" --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
        --hide-scrollbars --user-data-dir="$(mktemp -d -p "$place")" --screenshot="$2" --window-size="$3" \
        "file://$1" >/dev/null 2>&1
    [ -s "$2" ]
}
fail() { echo "failed: $*" >&2; exit 1; }

cp tests/captures/lab/00_seed_reenacted.pcap "$place/seed.pcap"
# A case beside the capture: two frames annotated, one of them twice.
cat >"$place/seed.pcap.portmortem.json" <<'CASE'
{"schema": "portmortem-case/1", "sequence": 0, "state": {"annotations": [
  {"id": 1, "frames": [{"source": 0, "frame": 2}], "note": "Port 53 refused <first>", "tag": "finding", "severity": "high"},
  {"id": 2, "frames": [{"source": 0, "frame": 1}, {"source": 0, "frame": 2}], "note": "The analyst's \"pair\", ü", "tag": "cause", "severity": null}
]}}
CASE

if [ "$what" = pictures ]; then
    mkdir -p "$shots"
    "$program" report --no-case -o "$place/seed.html" "$place/seed.pcap"
    shot "$place/seed.html" "$shots/report-html.png" 1000,2600
    "$program" report --no-case --sample office -o "$place/office.pdf"
    pdftoppm -r 90 -f 1 -l 1 -singlefile -png "$place/office.pdf" "$shots/report-pdf"
    ls -l "$shots"/report-*.png
    exit
fi

for format in html pdf docx pcapng json text; do
    "$program" report --format "$format" -o "$place/report.$format" "$place/seed.pcap" || fail "$format is not written"
done

if [ -n "$(browser)" ]; then
    shot "$place/report.html" "$place/html.png" 1000,2400 || fail "HTML is not shown"
    grep -Eq '<(script|link|img|iframe)|(src|href)="[^#]' "$place/report.html" && fail "HTML asks for something outside"
    echo "HTML: shown by $(browser)"
else
    echo "skipped: chromium is not installed"
fi
if has pdftoppm; then
    pdftoppm -r 40 -png "$place/report.pdf" "$place/page" 2>"$place/pdf.log"
    [ -s "$place/pdf.log" ] && fail "PDF: $(head -1 "$place/pdf.log")"
    pages=$(find "$place" -name 'page-*.png' | wc -l)
    [ "$pages" -gt 1 ] || fail "PDF has $pages pages"
    pdffonts "$place/report.pdf" | tail -n +3 | awk '$(NF-4) != "yes" { exit 1 }' || fail "PDF: a font is not embedded"
    echo "PDF: $pages pages drawn by pdftoppm, fonts embedded"
fi
if has soffice; then
    # A report of six packets shows no figures; that of the office does.
    "$program" report --sample office --no-case --format docx -o "$place/office.docx" || fail "DOCX is not written"
    HOME=$place timeout 120 soffice --headless --convert-to pdf --outdir "$place/word" "$place/office.docx" >/dev/null 2>&1
    [ -s "$place/word/office.pdf" ] || fail "DOCX is not opened by LibreOffice"
    if has pdfimages; then
        pictures=$(pdfimages -list "$place/word/office.pdf" | tail -n +3 | wc -l)
        [ "$pictures" -ge 2 ] || fail "DOCX shows $pictures figures"
    fi
    echo "DOCX: opened by LibreOffice"
fi
if has tshark; then
    read_comments() { tshark -n -r "$1" -T fields -E separator='|' -E aggregator='#' -e frame.comment 2>/dev/null; }
    wanted='The analyst'\''s "pair", ü
Port 53 refused <first>#The analyst'\''s "pair", ü'
    found=$(read_comments "$place/report.pcapng" | grep . || true)
    [ "$found" = "$wanted" ] || fail "comments are: $found"
    tshark -n -r "$place/report.pcapng" 2>&1 | grep -qi malformed && fail "pcapng: malformed packets"
    echo "pcapng: read by tshark, comments are the annotations"
fi
"$program" export --bundle "$place/bundle.zip" "$place/seed.pcap" >/dev/null || fail "the bundle is not written"
"$program" verify "$place/bundle.zip" "$place/seed.pcap" >"$place/verify.log" || fail "$(grep differs "$place/verify.log")"
if has unzip; then unzip -tq "$place/bundle.zip" >/dev/null || fail "the bundle is no ZIP"; fi
echo "bundle: $(tail -1 "$place/verify.log")"
"$program" export --redact --bundle "$place/redacted" "$place/seed.pcap" >/dev/null || fail "the redacted bundle is not written"
if has unzip; then unzip -q -d "$place/redacted/word" "$place/redacted/report.docx"; fi
if has pdftotext; then pdftotext "$place/redacted/report.pdf" "$place/redacted/pdf.txt"; fi
if has pdfinfo; then pdfinfo "$place/redacted/report.pdf" >"$place/redacted/info.txt"; fi
for secret in 192.51.100.15 203.0.113.2 15.100.51.192 yummy seed.pcap "$place"; do
    grep -raiqF -e "$secret" "$place/redacted" && fail "the redacted bundle holds $secret"
    # Headings and properties of a PDF are UTF-16.
    LC_ALL=C grep -raiqP "$(printf '%s' "$secret" | sed 's/./\\x00&/g; s/[.]/\\./g')" "$place/redacted" && fail "a PDF holds $secret"
done
for bytes in '\xc0\x33\x64\x0f' '\xcb\x00\x71\x02' '\x11yummyrecipesforme'; do
    LC_ALL=C grep -raqP "$bytes" "$place/redacted" && fail "packets of the redacted bundle hold $bytes"
done
echo "redacted bundle: nothing of the original is left"
