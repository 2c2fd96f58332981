#!/usr/bin/env python3
"""The unit tests of another system, compiled here and run by qemu or Wine: `units.py linux-arm64` or `units.py windows-x64`.

Takes some minutes, most of them the compiler's, so .ci/run leaves it out; the nightly workflow has it.
"""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True

import check_windows  # noqa: E402
import foreign  # noqa: E402
from stage import ROOT, Skipped, Stage  # noqa: E402

COMPILERS = {"linux-arm64": ("aarch64-linux-gnu", "gcc-aarch64-linux-gnu"), "windows-x64": ("x86_64-w64-mingw32", "gcc-mingw-w64-x86-64")}


def main(name):
    prefix, package = COMPILERS[name]
    triple = foreign.TRIPLES[name]
    stage = Stage(ROOT, ROOT)
    try:
        stage.debian({f"{prefix}-gcc": package})
        if name == "linux-arm64":
            stage.debian({"qemu-aarch64-static": "qemu-user-static", "/usr/aarch64-linux-gnu/lib/libc.so.6": "libc6-dev-arm64-cross"})
            start, env = ["qemu-aarch64-static"], dict(os.environ)
        else:
            start, env = [check_windows.WINE], {**os.environ, **check_windows.wine(stage)}
        subprocess.run(["rustup", "target", "add", triple], check=True)
        flat = triple.replace("-", "_")
        compile_env = {**os.environ, f"CC_{flat}": f"{prefix}-gcc", f"CARGO_TARGET_{flat.upper()}_LINKER": f"{prefix}-gcc"}
        if name == "linux-arm64":
            # Nothing has to be found for it but the program itself.
            compile_env[f"CARGO_TARGET_{flat.upper()}_RUSTFLAGS"] = "-Ctarget-feature=+crt-static"
        command = ["cargo", "test", "--locked", "-p", "nunu-ci", "--lib", "--no-run", "--target", triple, "--message-format=json"]
        made = subprocess.run(command, cwd=ROOT, env=compile_env, stdout=subprocess.PIPE, text=True, check=True).stdout
        tests = next(message["executable"] for message in map(json.loads, made.splitlines()) if message.get("executable"))
        return subprocess.run([*start, tests, "--test-threads", "4"], cwd=ROOT, env=env, check=False).returncode
    except Skipped as reason:
        print(f"skip {name}: {reason}")
        return 1
    finally:
        stage.close()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in COMPILERS:
        sys.exit(f"usage: units.py {'|'.join(COMPILERS)}")
    sys.exit(main(sys.argv[1]))
