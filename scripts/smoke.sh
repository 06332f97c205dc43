#!/usr/bin/env bash
# Runs the program given as $1 on its own samples; fails when one says something other than it must.
set -eu
program=$1

packets() { "$program" packets --sample "$1" | wc -l; }

[ "$(packets seed)" = 6 ]
[ "$(packets office)" = 3627 ]
"$program" --list-samples | grep -q '^seed '
"$program" packets --sample seed >/dev/null
status=0
"$program" packets /dev/null >/dev/null 2>&1 || status=$?
[ "$status" = 2 ]
echo "smoke run passed"
