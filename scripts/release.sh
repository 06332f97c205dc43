#!/usr/bin/env bash
# Builds what is published into a folder: source, static binaries, deb, rpm, package texts, SBOM, SHA256SUMS.
# Usage: scripts/release.sh [--url URL] [--once] [--target TRIPLE]... OUT
#   --url      where the release will stand; goes into the texts of packages
#   --once     do not build a second time to compare bytes
#   --target   only these; else x86-64 and arm64 with musl, as far as their standard library is installed
# Equal sources, compiler and folder-independent flags give equal bytes: the time is that of the last commit, paths are cut off.
set -eu
cd "$(dirname "$0")/.."
url=https://portmortem.example twice=yes targets=
while [ $# -gt 0 ]; do
    case $1 in
        --url) url=$2; shift 2 ;;
        --once) twice=; shift ;;
        --target) targets="$targets $2"; shift 2 ;;
        -*) sed -n '3,7s/^# //p' "$0" >&2; exit 2 ;;
        *) break ;;
    esac
done
[ $# = 1 ] || { sed -n '3,7s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
[ -z "$(ls -A "$out")" ] || { echo "$out is not empty" >&2; exit 2; }

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
cargo_home=${CARGO_HOME:-$HOME/.cargo}
installed=$(rustup target list --installed 2>/dev/null || rustc -vV | sed -n 's/^host: //p')
[ -n "$targets" ] || targets="x86_64-unknown-linux-musl aarch64-unknown-linux-musl"

packed() { # archive folder name: a tar archive that depends on nothing but the files
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar -C "$2" -cf - "$3" | gzip -9n >"$1"
}

build() { # target folder
    flags="--remap-path-prefix=$PWD=portmortem --remap-path-prefix=$cargo_home=cargo --remap-path-prefix=$2=target"
    case $1 in
        aarch64-unknown-linux-musl)
            export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=aarch64-linux-gnu-gcc CC_aarch64_unknown_linux_musl=aarch64-linux-gnu-gcc ;;
        x86_64-unknown-linux-musl) export CC_x86_64_unknown_linux_musl=musl-gcc ;;
    esac
    CARGO_TARGET_DIR=$2 CARGO_ENCODED_RUSTFLAGS=$(printf %s "$flags" | tr ' ' '\037') \
        cargo build --locked --profile dist --target "$1"
}

packed "$out/portmortem-$version-source.tar.gz" "$(
    folder=$(mktemp -d) && mkdir "$folder/portmortem-$version" && git archive HEAD | tar -x -C "$folder/portmortem-$version" && echo "$folder"
)" "portmortem-$version"

host=$(rustc -vV | sed -n 's/^host: //p')
for target in $targets; do
    case " $(echo $installed) " in *" $target "*) ;; *) echo "left out: $target (its standard library is not installed)" >&2; continue ;; esac
    build "$target" "$PWD/target"
    binary=target/$target/dist/portmortem
    if [ -n "$twice" ]; then
        again=$(mktemp -d)
        build "$target" "$again"
        cmp "$binary" "$again/$target/dist/portmortem"
        echo "$target: built twice, equal bytes"
        rm -rf "$again"
    fi
    # Manual page and completions come from the binary that runs here.
    runs=$binary
    [ "${target%%-*}" = "${host%%-*}" ] || runs=target/x86_64-unknown-linux-musl/dist/portmortem
    name=portmortem-$version-$target
    work=$(mktemp -d)
    mkdir -p "$work/$name/completions" target/package-files
    cp "$binary" README.md CHANGELOG.md SECURITY.md THIRD-PARTY.md LICENSE-MIT LICENSE-APACHE "$work/$name/"
    "$runs" man >"$work/$name/portmortem.1"
    for shell in bash zsh fish; do "$runs" completions "$shell" >"$work/$name/completions/portmortem.$shell"; done
    cp "$work/$name/portmortem.1" target/package-files/
    cp "$work/$name"/completions/* target/package-files/
    cp "$binary" target/package-files/portmortem
    packed "$out/$name.tar.gz" "$work" "$name"
    if command -v cargo-deb >/dev/null 2>&1; then
        cargo deb --locked --no-build --no-strip --target "$target" --profile dist --output "$out/" >/dev/null
    else
        echo "left out: .deb for $target (cargo install cargo-deb)" >&2
    fi
    if command -v cargo-generate-rpm >/dev/null 2>&1; then
        cargo generate-rpm --target "$target" --profile dist --output "$out/" --source-date "$SOURCE_DATE_EPOCH" >/dev/null
    else
        echo "left out: .rpm for $target (cargo install cargo-generate-rpm)" >&2
    fi
    rm -rf "$work"
done

sum=$(sha256sum "$out/portmortem-$version-source.tar.gz" | cut -d' ' -f1)
for text in portmortem.rb PKGBUILD package.nix; do
    sed "1,3{/Filled by/d};s|@VERSION@|$version|g;s|@URL@|$url|g;s|@SHA256_SOURCE@|$sum|g" "packaging/$text.in" >"$out/$text"
done
if command -v cargo-cyclonedx >/dev/null 2>&1; then
    cargo cyclonedx --format json --override-filename "portmortem-$version.cdx" >/dev/null
    mv "portmortem-$version.cdx.json" "$out/"
else
    echo "left out: SBOM (cargo install cargo-cyclonedx)" >&2
fi
(cd "$out" && sha256sum -- * >"$out/.sums" && mv .sums SHA256SUMS)
ls -l "$out"
