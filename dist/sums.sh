#!/bin/sh
# Rewrites dist/SHA256SUMS from dist/bin. The launchers start nothing that is not listed there.
set -eu

cd "$(dirname "$0")"
for binary in bin/nunu-ci-*; do
    [ -f "$binary" ] || { echo "error: dist/bin holds no binary; make one with dist/build.sh" >&2; exit 1; }
    if command -v sha256sum >/dev/null 2>&1; then
        digest=$(sha256sum <"$binary")
    else
        digest=$(shasum -a 256 <"$binary")
    fi
    printf '%s  %s\n' "${digest%% *}" "$binary"
done >SHA256SUMS.new
mv -f SHA256SUMS.new SHA256SUMS
