#!/bin/sh
# Prints the digest of the sources that a binary is built from.
set -eu
cd "$(dirname -- "$0")/.."
git ls-files -z -- Cargo.toml Cargo.lock src docs/nunu-ci.schema.json docs/results.schema.json | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
