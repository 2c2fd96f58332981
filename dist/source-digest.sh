#!/bin/sh
# Prints one SHA-256 over everything a binary is made of, at a commit (default: HEAD).
# dist/build.sh builds it into the binary (`nunu-ci --version --verbose`), tests/packaging/dist.sh compares.
set -eu

cd "$(dirname "$0")/.."
commit=${1:-HEAD}

# Modes, blob ids and paths: the same on every system, whatever its line ends, and known for every commit.
tree=$(git ls-tree -r "$commit" -- Cargo.toml Cargo.lock protocol src docs/nunu-ci.schema.json docs/results.schema.json)
if command -v sha256sum >/dev/null 2>&1; then
    digest=$(printf '%s\n' "$tree" | sha256sum)
else
    digest=$(printf '%s\n' "$tree" | shasum -a 256)
fi
printf '%s\n' "${digest%% *}"
