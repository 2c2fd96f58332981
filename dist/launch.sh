#!/bin/sh
# Starts the program of this platform, after checking its digest. Makes no other decision.
set -eu

fail() {
  echo "nunu-ci: $1" >&2
  exit 70
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

case "${RUNNER_OS:-$(uname -s)}" in
  Linux) os=linux ;;
  macOS | Darwin) os=macos ;;
  Windows | MINGW* | MSYS*) os=windows ;;
  *) fail "there is no program for the system ${RUNNER_OS:-$(uname -s)}; build it with cargo build --release and call it directly" ;;
esac
case "${RUNNER_ARCH:-$(uname -m)}" in
  X64 | x86_64 | amd64) arch=x64 ;;
  ARM64 | aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no program for the processor ${RUNNER_ARCH:-$(uname -m)}; build it with cargo build --release and call it directly" ;;
esac
name=nunu-ci-$os-$arch
[ "$os" = windows ] && name=$name.exe
program=$here/bin/$name

[ -f "$program" ] || fail "dist/bin/$name is not part of this checkout; use a released version of the action, or build it with dist/build.sh"

wanted=$(sed -n "s|^\([0-9a-f]\{64\}\)  bin/$name\$|\1|p" "$here/SHA256SUMS" 2>/dev/null || true)
[ -n "$wanted" ] || fail "dist/SHA256SUMS has no digest for bin/$name; refusing to start it"
if command -v sha256sum >/dev/null 2>&1; then
  actual=$(sha256sum <"$program")
elif command -v shasum >/dev/null 2>&1; then
  actual=$(shasum -a 256 <"$program")
elif command -v openssl >/dev/null 2>&1; then
  actual=$(openssl dgst -sha256 -r <"$program")
else
  fail "neither sha256sum, shasum nor openssl is here, so the digest of bin/$name cannot be checked"
fi
actual=${actual%% *}
[ "$actual" = "$wanted" ] || fail "dist/bin/$name does not have the digest in dist/SHA256SUMS; refusing to start it (was it changed, or checked out with converted line ends?)"

if [ ! -x "$program" ]; then
  chmod +x "$program" 2>/dev/null || fail "dist/bin/$name is not executable and cannot be made so"
fi
exec "$program" "$@"
