#!/bin/sh
# The one command that makes the bundled binary of this kind of machine and rewrites dist/SHA256SUMS:
#
#     dist/build.sh
#
# Run it once for a new version, after the sources are committed, and commit what it changes under dist/.
# Linux: statically linked, runs in every image. The release workflow runs the same command on every kind of runner.
set -eu

cd "$(dirname "$0")/.."
largest=$((6 * 1024 * 1024))

case "$(uname -s)/$(uname -m)" in
    Linux/x86_64) target=x86_64-unknown-linux-gnu name=nunu-ci-linux-x64 ;;
    Linux/aarch64) target=aarch64-unknown-linux-gnu name=nunu-ci-linux-arm64 ;;
    Darwin/x86_64) target=x86_64-apple-darwin name=nunu-ci-macos-x64 ;;
    Darwin/arm64) target=aarch64-apple-darwin name=nunu-ci-macos-arm64 ;;
    MINGW*/x86_64 | MSYS*/x86_64) target=x86_64-pc-windows-msvc name=nunu-ci-windows-x64.exe ;;
    *) echo "error: no binary is made on $(uname -s) $(uname -m)" >&2; exit 2 ;;
esac

if [ -n "$(git status --porcelain -- Cargo.toml Cargo.lock src docs)" ]; then
    echo "error: commit the sources first: the binary carries the digest of a commit" >&2
    exit 2
fi
NUNU_SOURCE_DIGEST=$(sh dist/source-digest.sh)
export NUNU_SOURCE_DIGEST

# Flags are separated by the unit separator, because paths may hold spaces. No path of this machine gets into the binary.
separator=$(printf '\037')
cargo_home=${CARGO_HOME:-$HOME/.cargo}
flags="--remap-path-prefix=$PWD=."
for crates in "$cargo_home"/registry/src/*/; do
    flags="$flags$separator--remap-path-prefix=${crates%/}=crates"
done
flags="$flags$separator--remap-path-prefix=$(rustc --print sysroot)=rust"
case $target in
    *-linux-gnu | *-windows-msvc) flags="$flags$separator-Ctarget-feature=+crt-static" ;;
esac
# Compact relocations and one copy of equal functions; Rust's own linker on Linux x64 knows both.
case $target in
    x86_64-*-linux-gnu) flags="$flags$separator-Clink-arg=-Wl,--pack-dyn-relocs=relr$separator-Clink-arg=-Wl,--icf=all" ;;
esac
CARGO_ENCODED_RUSTFLAGS=$flags cargo build --release --locked --bin nunu-ci --target "$target"

built=${CARGO_TARGET_DIR:-target}/$target/release/nunu-ci
case $name in *.exe) built=$built.exe ;; esac
size=$(wc -c <"$built" | tr -d ' ')
if [ "$size" -gt "$largest" ]; then
    echo "error: the binary has $size bytes, at most $largest are allowed" >&2
    exit 1
fi
case "$("$built" --version --verbose)" in
    *"$NUNU_SOURCE_DIGEST"*) ;;
    *) echo "error: the binary does not carry the digest $NUNU_SOURCE_DIGEST" >&2; exit 1 ;;
esac
mkdir -p dist/bin
cp "$built" "dist/bin/$name.new"
chmod 755 "dist/bin/$name.new"
mv -f "dist/bin/$name.new" "dist/bin/$name"
sh dist/sums.sh
echo "dist/bin/$name: $size bytes, sources $NUNU_SOURCE_DIGEST"
