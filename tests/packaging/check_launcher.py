"""The launcher starts the verified binary and nothing else, in every shell there is."""

import pathlib
import shutil
import subprocess

from stage import ensure, run


def shells():
    """Every POSIX shell of this machine, as commands."""
    found = [["sh", "-eu"]]
    for shell in ("dash", "bash", "busybox", "ksh", "mksh", "yash", "zsh"):
        path = shutil.which(shell)
        if path:
            extra = {"bash": ["--noprofile", "--norc", "-eo", "pipefail"], "busybox": ["sh"]}.get(shell, [])
            found.append([path, *extra])
    return found


def check(stage):
    tampered = stage.fresh("tampered")
    binary = stage.action_checkout(tampered)
    with binary.open("ab") as file:
        file.write(b"x")
    good = stage.fresh("good")
    stage.action_checkout(good)
    unlisted = stage.fresh("unlisted")
    stage.action_checkout(unlisted)
    (unlisted / "dist" / "SHA256SUMS").write_text("")
    plain = {"PATH": "/usr/bin:/bin"}
    tried = 0
    for shell in shells():
        for variables in (plain, {**plain, "GITHUB_ACTIONS": "true", "RUNNER_OS": "Linux"}):
            tried += 1
            code, said = run([*shell, good / "dist/launch.sh", "--version"], env=variables, clean=True)
            ensure(code == 0 and said.startswith("nunu-ci "), f"{shell[0]}: a good binary gave {code}: {said}")
            for folder in (tampered, unlisted):
                code, said = run([*shell, folder / "dist/launch.sh", "--version"], clean=True,
                                 env={**variables, "NUNU_VERIFY": "false", "NUNU_SKIP_CHECK": "1"})
                ensure(code == 70, f"{shell[0]}: a binary that is not the released one gave {code}: {said}")
                ensure("is not the released binary" in said and said.count("\n") == 1, f"{shell[0]}: {said}")
                ensure(said.startswith("::error") == ("GITHUB_ACTIONS" in variables), f"{shell[0]}: {said}")
    others(stage, good, plain)
    where(good, plain)
    powershell = shutil.which("pwsh")
    if powershell:
        code, said = run([powershell, "-File", tampered / "dist/launch.ps1", "--version"])
        ensure(code == 70 and "is not the released binary" in said, f"pwsh: {code}: {said}")
        code, said = run([powershell, "-File", good / "dist/launch.ps1", "--version"])
        ensure(code == 0, f"pwsh: {code}: {said}")
    pwsh = "pwsh too" if powershell else "pwsh is not on this machine"
    return f"refused with 70 and one sentence in {tried} shell settings; {pwsh}"


def others(stage, good, plain):
    """Machines without a binary, and those without the usual tools."""
    for variables, words in (
        ({"RUNNER_OS": "macOS", "RUNNER_ARCH": "ARM64"}, "for macos arm64"),
        ({"RUNNER_OS": "Windows", "RUNNER_ARCH": "X64"}, "nunu-ci-windows-x64.exe"),
        ({"RUNNER_ARCH": "ARM"}, "for ARM processors"),
        ({"RUNNER_OS": "Plan9"}, "for Plan9"),
    ):
        code, said = run(["sh", good / "dist/launch.sh"], env={**plain, **variables}, clean=True)
        ensure(code == 70 and words in said, f"{variables}: {code}: {said}")
    for tool in ("sha256sum", "shasum", "openssl", "busybox", None):
        path = stage.fresh("path")
        (path / "uname").symlink_to(shutil.which("uname"))
        if tool and not shutil.which(tool):
            continue
        if tool == "shasum":
            (path / "perl").symlink_to(shutil.which("perl"))
        if tool:
            (path / tool).symlink_to(pathlib.Path(shutil.which(tool)).resolve())
        code, said = run(["/bin/sh", good / "dist/launch.sh", "--version"], env={"PATH": str(path)}, clean=True)
        if tool:
            ensure(code == 0, f"with {tool} alone: {code}: {said}")
        else:
            ensure(code == 70 and "cannot be checked" in said, f"without any tool: {code}: {said}")


def where(good, plain):
    """Any folder, any way to name the launcher, a lost mode, odd arguments."""
    code, said = run(["sh", "launch.sh", "--version"], env=plain, cwd=good / "dist", clean=True)
    ensure(code == 0, f"from its own folder: {code}: {said}")
    odd = good.parent / "an odd name; $(touch x) 'y'"
    shutil.copytree(good, odd)
    for file in (odd / "dist" / "bin").iterdir():
        file.chmod(0o644)
    code, said = run([odd / "dist/launch.sh", "--version"], env=plain, cwd="/", clean=True)
    ensure(code == 0, f"in a folder with an odd name, without its mode: {code}: {said}")
    code, said = run([good / "dist/launch.sh", "--name", "a b", "--no-such-flag"], env=plain, cwd="/tmp", clean=True)
    ensure(code == 2 and "--no-such-flag" in said, f"arguments do not arrive: {code}: {said}")
    # The process stays the same one: what the runner signals is the program.
    process = subprocess.Popen(["sh", "-c", f'echo $$; exec "{good}/dist/launch.sh" --version'],
                               stdout=subprocess.PIPE, text=True, env=plain)
    said, _ = process.communicate(timeout=20)
    ensure(said.splitlines()[0] == str(process.pid) and "nunu-ci " in said, f"the launcher does not exec: {said}")
