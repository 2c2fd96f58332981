#!/bin/sh
# Makes the bundled programs on one Linux x64 machine and rewrites dist/SHA256SUMS:
#
#     dist/build.sh [TARGET...]     # of linux-x64 linux-arm64 windows-x64 macos-x64 macos-arm64; all when none is named
#
# Run it once for a new version, after the sources are committed, and commit what it changes under dist/.
# Rust's targets and Debian's compilers are installed where that can be done; a target that then still lacks something is named, and its
# program stays as it is. The same sources give the same bytes in every folder, with the same Rust and the same Debian packages.
set -eu

cd "$(dirname "$0")/.."
rust=1.95.0
largest=8000000
all='linux-x64 linux-arm64 windows-x64 macos-x64 macos-arm64'

refuse() {
    echo "error: $1" >&2
    exit 2
}

for short in "$@"; do
    case " $all " in *" $short "*) ;; *) refuse "\"$short\" is none of: $all" ;; esac
done
[ "$(uname -s)/$(uname -m)" = Linux/x86_64 ] || refuse "the programs are made on Linux x64, this is $(uname -s) $(uname -m)"
case $(rustc --version) in "rustc $rust "*) ;; *) refuse "another compiler makes other bytes: Rust $rust is wanted, this is $(rustc --version)" ;; esac
[ -z "$(git status --porcelain -- Cargo.toml Cargo.lock protocol src docs)" ] ||
    refuse "commit the sources first: a program carries the digest of a commit"
NUNU_SOURCE_DIGEST=$(sh dist/source-digest.sh)
export NUNU_SOURCE_DIGEST

# has PROGRAM PACKAGE: true when the program is there, if need be from its Debian package.
has() {
    command -v "$1" >/dev/null 2>&1 && return
    if [ "$(id -u)" -eq 0 ]; then as_root=; else as_root='sudo -n'; fi
    # shellcheck disable=SC2086 # two words or none
    { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y --no-install-recommends "$2"; } >/dev/null 2>&1 || true
    command -v "$1" >/dev/null 2>&1 && return
    missing="$1 is not installed and could not be (Debian's package $2)"
    return 1
}

# ready TARGET: true when everything is there that it is built with.
ready() {
    if ! rustup target list --installed 2>/dev/null | grep -qx "$1" && ! rustup target add "$1" >/dev/null 2>&1; then
        missing="Rust's standard library for $1 could not be had"
        return 1
    fi
    case $1 in
        x86_64-unknown-linux-gnu) has cc gcc ;;
        aarch64-unknown-linux-gnu) has aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu && has /usr/aarch64-linux-gnu/lib/libc.so.6 libc6-dev-arm64-cross ;;
        x86_64-pc-windows-gnu) has x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64 ;;
        *-apple-darwin) has clang clang && has llvm-ar llvm ;;
    esac
}

flag() {
    flags="$flags$(printf '\037')$1"
}

# build SHORT TARGET: compiles it; sets `built`.
build() {
    sysroot=$(rustc --print sysroot)
    # Flags are separated by the unit separator, because paths may hold spaces. No path of this machine gets into the program.
    flags="--remap-path-prefix=$PWD=."
    for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
        flag "--remap-path-prefix=${crates%/}=crates"
    done
    flag "--remap-path-prefix=$sysroot=rust"
    case $2 in
        *-linux-gnu | *-windows-gnu) flag -Ctarget-feature=+crt-static ;;
    esac
    case $2 in
        # Compact relocations and one copy of equal functions; Rust's own linker on Linux x64 knows both.
        x86_64-*-linux-gnu) flag -Clink-arg=-Wl,--pack-dyn-relocs=relr && flag -Clink-arg=-Wl,--icf=all ;;
        aarch64-*-linux-gnu) compiler=aarch64-linux-gnu-gcc linker=aarch64-linux-gnu-gcc archiver=aarch64-linux-gnu-ar ;;
        *-windows-gnu)
            compiler=x86_64-w64-mingw32-gcc linker=x86_64-w64-mingw32-gcc archiver=x86_64-w64-mingw32-ar
            flag -Clink-arg=-Wl,--no-insert-timestamp
            ;;
        *-apple-darwin)
            compiler=clang linker=$sysroot/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld archiver=llvm-ar
            export SDKROOT="$PWD/dist/macos-sdk"
            # The oldest macOS that Rust supports on each; it is written into the program.
            case $1 in macos-arm64) oldest=11.0 ;; *) oldest=10.13 ;; esac
            export MACOSX_DEPLOYMENT_TARGET="$oldest"
            flag -Clinker-flavor=ld64.lld
            # An unsigned program does not start on Apple's own processors. What the stubs miss is named at once.
            for word in -adhoc_codesign -dead_strip_dylibs --error-limit=0; do flag "-Clink-arg=$word"; done
            ;;
    esac
    # The variables that tell cargo and cc of another compiler have the target in their names.
    set -- "$1" "$2" "$(printf %s "$2" | tr '-' '_')"
    if [ "$2" != x86_64-unknown-linux-gnu ]; then
        export "CC_$3=$compiler" "AR_$3=$archiver" "CARGO_TARGET_$(printf %s "$3" | tr '[:lower:]' '[:upper:]')_LINKER=$linker"
    fi
    CARGO_ENCODED_RUSTFLAGS=$flags cargo build --release --locked --bin nunu-ci --target "$2"
    built=${CARGO_TARGET_DIR:-target}/$2/release/nunu-ci
}

# place NAME: the built program becomes dist/bin/NAME, if it is what it should be.
place() {
    size=$(wc -c <"$built" | tr -d ' ')
    [ "$size" -lt "$largest" ] || refuse "$1 has $size bytes, fewer than $largest are allowed"
    grep -aqF "$NUNU_SOURCE_DIGEST" "$built" || refuse "$1 does not carry the digest $NUNU_SOURCE_DIGEST"
    if grep -aqF "$PWD" "$built"; then refuse "$1 holds the path of this folder"; fi
    mkdir -p dist/bin
    cp "$built" "dist/bin/$1.new"
    chmod 755 "dist/bin/$1.new"
    mv -f "dist/bin/$1.new" "dist/bin/$1"
}

# shellcheck disable=SC2086 # one word each
[ $# -gt 0 ] || set -- $all
for short in "$@"; do
    case $short in
        linux-x64) target=x86_64-unknown-linux-gnu ;;
        linux-arm64) target=aarch64-unknown-linux-gnu ;;
        windows-x64) target=x86_64-pc-windows-gnu ;;
        macos-x64) target=x86_64-apple-darwin ;;
        macos-arm64) target=aarch64-apple-darwin ;;
    esac
    if ! ready "$target"; then
        echo "skip $short: $missing; dist/bin keeps what it has"
        continue
    fi
    began=$(date +%s)
    # In a process of its own: no variable of one target reaches the next.
    (
        build "$short" "$target"
        case $short in windows-*) built=$built.exe name=nunu-ci-$short.exe ;; *) name=nunu-ci-$short ;; esac
        place "$name"
        echo "dist/bin/$name: $size bytes, $(($(date +%s) - began)) s, sources $NUNU_SOURCE_DIGEST"
    )
done
sh dist/sums.sh
