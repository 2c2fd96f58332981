"""The bundled binary is what its sources say, small, listed, and starts from a clean checkout with nothing else."""

import os
import re
import subprocess

from stage import ROOT, ensure, run

LARGEST = 6 * 1024 * 1024


def check(stage):
    machine = "x64" if os.uname().machine == "x86_64" else "arm64"
    binary = ROOT / "dist" / "bin" / f"nunu-ci-linux-{machine}"
    ensure(binary.exists(), f"dist/bin/{binary.name} is missing: run dist/build.sh and commit it")
    sums = (ROOT / "dist" / "SHA256SUMS").read_text()
    for path in sorted((ROOT / "dist" / "bin").iterdir()):
        ensure(f"  bin/{path.name}\n" in sums, f"dist/SHA256SUMS does not list bin/{path.name}: run dist/sums.sh")
        ensure(path.stat().st_size <= LARGEST, f"dist/bin/{path.name} has {path.stat().st_size} bytes")
    # A clone, an empty environment, no network tool: only the launcher and the shell.
    clone = stage.fresh("clone") / "nunu-ci"
    subprocess.run(["git", "clone", "-q", "--no-local", ROOT, clone], check=True)
    code, said = run([clone / "dist" / "launch.sh", "--version", "--verbose"], env={"PATH": "/usr/bin:/bin"}, clean=True)
    ensure(code == 0, f"the bundled binary does not start from a clean checkout: {code}: {said}")
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
    ensure(said.startswith(f"nunu-ci {version}\n"),
           f"Cargo.toml says {version}, the bundled binary {said.splitlines()[0]}: run dist/build.sh and commit it")
    # Between two versions the sources may move on; the commit that brought the binary must be what it was built from.
    changed = subprocess.run(["git", "log", "-1", "--format=%H", "--", "dist/SHA256SUMS"], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout.strip()
    code, digest = run(["sh", ROOT / "dist" / "source-digest.sh", changed])
    ensure(code == 0 and f"sources: {digest.strip()}\n" in said,
           f"dist was not built from the sources of the commit that changed it ({changed[:10]}, {digest.strip()[:10]}): {said}")
    described = run(["file", "-b", binary])[1] if os.path.exists("/usr/bin/file") else "statically linked"
    ensure("static" in described, f"the bundled binary needs libraries: {described}")
    return f"{binary.name} {binary.stat().st_size / 1e6:.2f} MB, built from the sources of {changed[:10]}"
