#!/bin/sh
# Builds dist/bin/nunu-ci-linux-x64, static, and rewrites dist/SHA256SUMS and dist/SOURCES. Run once for a version, in the last commit.
set -eu
cd "$(dirname -- "$0")/.."
target=x86_64-unknown-linux-gnu
NUNU_SOURCE_DIGEST=$(dist/sources.sh)
export NUNU_SOURCE_DIGEST
RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked --target "$target" --bin nunu-ci
mkdir -p dist/bin
cp "target/$target/release/nunu-ci" dist/bin/nunu-ci-linux-x64
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
printf '%s %s\n' "$version" "$NUNU_SOURCE_DIGEST" >dist/SOURCES
(cd dist && sha256sum bin/* >SHA256SUMS)
ls -l dist/bin
