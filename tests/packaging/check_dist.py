"""The bundled programs are what their sources say, small, listed, and this machine's starts from a clean checkout with nothing else."""

import os
import re
import shutil
import subprocess
import tomllib

from stage import ROOT, ensure, run


def said_in_build(name):
    """A variable of dist/build.sh."""
    return re.search(rf"^{name}='?(.*?)'?$", (ROOT / "dist" / "build.sh").read_text(), re.MULTILINE).group(1)


def pinned():
    """Workflows use the compiler that dist/build.sh wants, and dist/release.sh and cargo-binstall know the programs that it makes."""
    rust = said_in_build("rust")
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        others = set(re.findall(r'RUST_TOOLCHAIN: "(.*)"', workflow.read_text())) - {rust}
        ensure(not others, f"{workflow.name} uses Rust {others}, dist/build.sh {rust}")
    names = sorted(f"nunu-ci-{short}{'.exe' if short.startswith('windows') else ''}" for short in said_in_build("all").split())
    listed = re.search(r"^all='(.*)'$", (ROOT / "dist" / "release.sh").read_text(), re.MULTILINE).group(1).split()
    ensure(sorted(listed) == names, f"dist/build.sh makes {names}, dist/release.sh wants {listed}")
    binstall = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["metadata"]["binstall"]
    for target, override in binstall["overrides"].items():
        ensure("pkg-url" in override, f"binstall: no address for {target}")
    found = sorted(override["pkg-url"].rsplit("/", 1)[1] for override in binstall["overrides"].values())
    ensure(sorted(set(found)) == names, f"binstall fetches {found}, dist/build.sh makes {names}")
    return names


def install_line(stage, bundled):
    """The line of the README installs a program that its release lists, and nothing else."""
    line = re.search(r"^n=nunu-ci-linux-x64 u=\S+ && .*$", (ROOT / "README.md").read_text(), re.MULTILINE).group(0)
    stage.debian({"curl": "curl"})
    release = stage.fresh("release")
    for path in (*bundled, ROOT / "dist" / "SHA256SUMS"):
        shutil.copy(path, release)
    line = re.sub(r"u=\S+", f"u=file://{release}", line)
    for tampered in (False, True):
        if tampered:
            with (release / "nunu-ci-linux-x64").open("ab") as program:
                program.write(b"x")
        folder = stage.fresh("install")
        code, said = run(["sh", "-c", line], cwd=folder)
        installed = (folder / "nunu-ci").exists()
        ensure((code == 0, installed) == (not tampered, not tampered), f"the install line of the README, tampered: {tampered}: {code}\n{said}")


def check(stage):
    machine = "x64" if os.uname().machine == "x86_64" else "arm64"
    binary = ROOT / "dist" / "bin" / f"nunu-ci-linux-{machine}"
    ensure(binary.exists(), f"dist/bin/{binary.name} is missing: run dist/build.sh and commit it")
    names = pinned()
    install_line(stage, sorted((ROOT / "dist" / "bin").iterdir()))
    largest = int(said_in_build("largest"))
    sums = (ROOT / "dist" / "SHA256SUMS").read_text()
    bundled = sorted((ROOT / "dist" / "bin").iterdir())
    for path in bundled:
        ensure(path.name in names, f"dist/bin/{path.name} is no program that dist/build.sh makes")
        ensure(f"  bin/{path.name}\n" in sums, f"dist/SHA256SUMS does not list bin/{path.name}: run dist/sums.sh")
        ensure(path.stat().st_size < largest, f"dist/bin/{path.name} has {path.stat().st_size} bytes")
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
    for path in bundled:
        ensure(code != 0 or digest.strip().encode() in path.read_bytes(),
               f"dist/bin/{path.name} was not built from the sources of the commit that changed dist ({changed[:10]}): run dist/build.sh")
    ensure(code == 0 and f"sources: {digest.strip()}\n" in said,
           f"dist was not built from the sources of the commit that changed it ({changed[:10]}, {digest.strip()[:10]}): {said}")
    described = run(["file", "-b", binary])[1] if os.path.exists("/usr/bin/file") else "statically linked"
    ensure("static" in described, f"the bundled binary needs libraries: {described}")
    lacking = [name for name in names if not (ROOT / "dist" / "bin" / name).exists()]
    sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.2f} MB" for path in bundled)
    return f"{sizes}, built from the sources of {changed[:10]}; not there: {', '.join(lacking) or 'none'}"
