#!/bin/sh
# Fails when the version was bumped and dist was not built from these sources.
set -eu
cd "$(dirname -- "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
read -r built digest <dist/SOURCES
(cd dist && sha256sum --quiet -c SHA256SUMS)
if [ "$version" != "$built" ]; then
  echo "dist holds version $built, Cargo.toml says $version: run dist/build.sh" >&2
  exit 1
fi
if [ "${1:-}" = --sources ] && [ "$digest" != "$(dist/sources.sh)" ]; then
  echo "dist was built from other sources: run dist/build.sh" >&2
  exit 1
fi
