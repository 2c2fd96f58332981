#!/bin/sh
# Picks the binary for this machine, checks its SHA-256 and becomes it: signals of the runner reach nunu-ci itself.
# POSIX sh, because job containers may have nothing else. No setting can switch the check off.
set -eu

# Only the program gets the key and the tokens, and folders that an earlier step put in front of PATH are not asked first.
unset token key github gitlab given
token=${NUNU_API_TOKEN-} key=${NUNU_API_KEY-} github=${NUNU_GITHUB_TOKEN-} gitlab=${NUNU_GITLAB_TOKEN-} given=${PATH-}
unset NUNU_API_TOKEN NUNU_API_KEY NUNU_GITHUB_TOKEN NUNU_GITLAB_TOKEN
PATH=/usr/bin:/bin${given:+:$given}

case $0 in
    */*) here=${0%/*} ;;
    *) here=. ;;
esac

# One sentence, as an annotation where the job runs on GitHub. 70: not the fault of the job.
refuse() {
    if [ "${GITHUB_ACTIONS:-}" = true ]; then
        printf '::error title=nunu-ci::%s\n' "$1"
    else
        printf 'error: %s\n' "$1" >&2
    fi
    exit 70
}

# GitHub's runner tells the machine better than uname does (emulation, containers); elsewhere uname has to do.
case ${RUNNER_OS:-$(uname -s)} in
    Linux) os=linux ;;
    macOS | Darwin) os=macos ;;
    Windows | MINGW* | MSYS* | CYGWIN*) os=windows ;;
    *) refuse "nunu-ci has no binary for ${RUNNER_OS:-$(uname -s)}: it runs on Linux, macOS and Windows" ;;
esac
case ${RUNNER_ARCH:-$(uname -m)} in
    X64 | x86_64 | amd64) arch=x64 ;;
    ARM64 | aarch64 | arm64) arch=arm64 ;;
    *) refuse "nunu-ci has no binary for ${RUNNER_ARCH:-$(uname -m)} processors: it runs on x64 and arm64" ;;
esac

name=nunu-ci-$os-$arch
if [ "$os" = windows ]; then
    # Windows on Arm runs x64 programs.
    name=nunu-ci-windows-x64.exe
fi
binary=$here/bin/$name
if [ ! -f "$binary" ]; then
    refuse "nunu-ci has no binary for $os $arch in this checkout (dist/bin/$name): use a released version such as OWNER/nunu-ci@v0, or make it with dist/build.sh on such a machine"
fi

wanted=
if [ -r "$here/SHA256SUMS" ]; then
    while read -r digest file; do
        if [ "$file" = "bin/$name" ]; then
            wanted=$digest
        fi
    done <"$here/SHA256SUMS"
fi
if command -v sha256sum >/dev/null 2>&1; then
    found=$(command sha256sum <"$binary")
elif command -v shasum >/dev/null 2>&1; then
    found=$(command shasum -a 256 <"$binary")
elif command -v openssl >/dev/null 2>&1; then
    found=$(command openssl dgst -sha256 -r <"$binary")
elif command -v busybox >/dev/null 2>&1; then
    found=$(command busybox sha256sum <"$binary")
else
    refuse "dist/bin/$name cannot be checked and is not started: install sha256sum, shasum, openssl or busybox"
fi
found=${found%% *}
if [ -z "$wanted" ] || [ "$found" != "$wanted" ]; then
    refuse "dist/bin/$name is not the released binary and is not started: its SHA-256 is ${found:-unknown}, dist/SHA256SUMS says ${wanted:-nothing}; check the action out again"
fi

# A checkout through an archive may have lost the mode.
[ -x "$binary" ] || chmod +x "$binary" || refuse "dist/bin/$name may not be started: its folder does not allow it"
export PATH="$given" NUNU_API_TOKEN="$token" NUNU_API_KEY="$key" NUNU_GITHUB_TOKEN="$github" NUNU_GITLAB_TOKEN="$gitlab"
exec "$binary" "$@"
