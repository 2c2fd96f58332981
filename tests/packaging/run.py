#!/usr/bin/env python3
"""Checks the packaging with real tools: one line a check, then a count.

usage: tests/packaging/run.py --binary PATH --sim PATH [--static PATH] [CHECK...]

--binary  a built nunu-ci for this machine
--sim     a built nunu-sim
--static  a statically linked nunu-ci for the container (default: the one in dist/bin, when it is there)
"""

import argparse
import importlib
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True

from stage import Failed, Skipped, Stage  # noqa: E402

CHECKS = ["files", "starter", "cookbook", "agree", "ctrf", "page", "dist", "release", "launcher", "signals", "action", "gitlab", "pipeline", "image", "speed",
          "arm64", "windows", "macos", "ignorecase"]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binary", required=True)
    options.add_argument("--sim", required=True)
    options.add_argument("--static")
    options.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    args = options.parse_args()
    unknown = [name for name in args.checks if name not in CHECKS]
    if unknown:
        options.error(f"no check is called {unknown[0]}")
    passed = failed = skipped = 0
    for name in args.checks or CHECKS:
        stage = Stage(args.binary, args.sim, args.static)
        began = time.monotonic()
        try:
            said = importlib.import_module(f"check_{name}").check(stage)
            print(f"ok   packaging, {name}: {said} ({time.monotonic() - began:.1f} s)", flush=True)
            passed += 1
        except Skipped as reason:
            print(f"skip packaging, {name}: {reason}", flush=True)
            skipped += 1
        except Failed as reason:
            print(f"FAIL packaging, {name}: {reason}", flush=True)
            failed += 1
        except Exception:  # noqa: BLE001 - a broken check is a failed check, and the others still run
            print(f"FAIL packaging, {name}\n{traceback.format_exc()}", flush=True)
            failed += 1
        finally:
            stage.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
