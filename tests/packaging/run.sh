#!/bin/sh
# tests/packaging/run.sh NUNU_CI NUNU_SIM [CHECK...]: every packaging check with the built programs, one line each.
set -eu

binary=${1:?usage: tests/packaging/run.sh NUNU_CI NUNU_SIM [CHECK...]}
sim=${2:?usage: tests/packaging/run.sh NUNU_CI NUNU_SIM [CHECK...]}
shift 2
exec python3 "$(dirname "$0")/run.py" --binary "$binary" --sim "$sim" "$@"
