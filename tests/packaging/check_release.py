"""The release, rehearsed in scratch repositories without a network: what it would publish, and each thing that stops it."""

import os
import re
import shutil
import subprocess

from stage import ROOT, ensure, run

NAMES = ("linux-arm64", "linux-x64", "macos-arm64", "macos-x64", "windows-x64.exe")
GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]


def commit(folder, words):
    for command in (["add", "-A", "-f"], ["commit", "-qm", words]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)


def scratch(stage, version):
    """The project as a repository of its own that is ready for a release: a section in the changelog, five binaries (stand-ins: nothing
    is built here) of the sources of their commit, and their sums."""
    folder = stage.fresh("project")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, target, follow_symlinks=False)
    subprocess.run([*GIT, "init", "-q", "-b", "main"], cwd=folder, check=True)
    changelog = folder / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## [Unreleased]", f"## [Unreleased]\n\n## [{version}] - 2026-01-01", 1))
    commit(folder, "sources")
    digest = subprocess.run(["sh", "dist/source-digest.sh"], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    shutil.rmtree(folder / "dist" / "bin", ignore_errors=True)
    (folder / "dist" / "bin").mkdir()
    for name in NAMES:
        (folder / "dist" / "bin" / f"nunu-ci-{name}").write_bytes(f"\0{name}\0{digest}\0".encode())
    subprocess.run(["sh", "dist/sums.sh"], cwd=folder, check=True)
    commit(folder, "dist")
    return folder


def release(folder, *words):
    """A step of the release; no network, and a `gh` would be a mistake."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "GIT_ALLOW_PROTOCOL": "file", "GIT_CONFIG_NOSYSTEM": "1"}
    return run(["sh", "dist/release.sh", *words], cwd=folder, env=env, clean=True)


def replace(path, old, new):
    ensure(old in path.read_text(), f"{path.name} has no {old}")
    path.write_text(path.read_text().replace(old, new))


def check(stage):
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
    major = version.split(".", maxsplit=1)[0]
    good = scratch(stage, version)
    code, said = release(good, "rehearse", version)
    ensure(code == 0, f"the rehearsal ended with {code}:\n{said}")
    for words in (f"refs/tags/v{version}", f"refs/tags/v{major}", f"refs/heads/release/v{major}", f"gh release create v{version} --draft",
                  f"gh release edit v{version} --draft=false", *(f"dist/bin/nunu-ci-{name}" for name in NAMES)):
        ensure(words in said, f"the rehearsal does not tell of {words}:\n{said}")
    commits = set(re.findall(r"^([0-9a-f]+) refs/", said, re.MULTILINE))
    ensure(len(commits) == 1, f"tags and branch are not one commit:\n{said}")
    left = subprocess.run([*GIT, "for-each-ref", "--format=%(refname)"], cwd=good, check=True, capture_output=True, text=True).stdout
    ensure(left.split() == ["refs/heads/main"], f"the rehearsal left {left}")
    stops = stopped(stage, good, version)
    built(stage, good)
    return f"rehearsed for {version} without a network; {stops} mistakes stop it, each by its own words; a foreign rebuild too"


def stopped(stage, good, version):
    """One mistake each."""
    def tampered(folder):
        with (folder / "dist/bin/nunu-ci-macos-x64").open("ab") as file:
            file.write(b"x")
        commit(folder, "a mistake")

    def foreign(folder):
        path = folder / "dist/bin/nunu-ci-macos-x64"
        path.write_bytes(b"built from other sources")
        subprocess.run(["sh", "dist/sums.sh"], cwd=folder, check=True)
        commit(folder, "a mistake")

    def missing(folder):
        (folder / "dist/bin/nunu-ci-windows-x64.exe").unlink()
        commit(folder, "a mistake")

    def later_sources(folder):
        with (folder / "src/main.rs").open("a") as file:
            file.write("// later\n")
        commit(folder, "later")

    def edited(name, old, new):
        def change(folder):
            replace(folder / name, old, new)
            commit(folder, "a mistake")
        return change

    mistakes = [
        (tampered, "nunu-ci-macos-x64 is not the one that dist/SHA256SUMS lists"),
        (foreign, "nunu-ci-macos-x64 was not built from the sources of this commit"),
        (missing, "nunu-ci-windows-x64.exe is missing"),
        (later_sources, "was not built from the sources of this commit"),
        (lambda folder: (folder / "new").write_text("x"), "the working tree has changes"),
        (lambda folder: subprocess.run([*GIT, "switch", "-q", "-c", "fix"], cwd=folder, check=True), "is made from main, this is fix"),
        (lambda folder: subprocess.run([*GIT, "tag", f"v{version}"], cwd=folder, check=True), f"the tag v{version} is there already"),
        (edited("Cargo.toml", f'version = "{version}"', 'version = "9.9.9"'), "Cargo.toml has the version 9.9.9"),
        (edited("docs/cookbook/gitlab.md", f"nunu-ci:{version}", "nunu-ci:9.9.9"), "docs/cookbook/gitlab.md names the version 9.9.9"),
        (edited("templates/nunu-run.yml", f"nunu-ci:{version}", "nunu-ci:9.9.9"), "templates/nunu-run.yml names the version 9.9.9"),
        (edited("CHANGELOG.md", f"[{version}]", "[9.9.9]"), f"CHANGELOG.md has no section [{version}]"),
    ]
    for change, words in mistakes:
        folder = stage.fresh("mistake") / "project"
        shutil.copytree(good, folder, symlinks=True)
        change(folder)
        for step in ("check", "rehearse"):
            code, said = release(folder, step, version)
            ensure(code == 1 and words in said, f"{step} after a mistake gave {code}, not: {words}\n{said}")
            ensure("gh " not in said and "tagged" not in said, f"{step} went on after a mistake:\n{said}")
    for wrong in ("9.9.9", "v0", "0.1.0;x", ""):
        code, said = release(good, "check", wrong)
        ensure(code != 0, f"the version {wrong!r} was accepted:\n{said}")
    return len(mistakes) + 1


def built(stage, good):
    """Binaries that were built anew are the same or no release."""
    again = stage.fresh("again") / "bin"
    shutil.copytree(good / "dist/bin", again)
    code, said = release(good, "compare", str(again))
    ensure(code == 0, f"the same binaries were refused: {said}")
    with (again / "nunu-ci-linux-x64").open("ab") as file:
        file.write(b"x")
    os.unlink(again / "nunu-ci-linux-arm64")
    code, said = release(good, "compare", str(again))
    ensure(code == 1 and "nunu-ci-linux-x64 built anew is another file" in said and "nunu-ci-linux-arm64 was not built anew" in said, said)
