"""The launcher starts the verified binary and nothing else, in every shell there is."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess

from stage import ROOT, ensure, run

SECRETS = {"NUNU_API_TOKEN": "nunu_key_1", "NUNU_API_KEY": "nunu_key_2", "NUNU_GITHUB_TOKEN": "ghs_token_3", "NUNU_GITLAB_TOKEN": "glpat-4"}


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
    others(good, plain)
    secrets(stage, good)
    machines = alone(stage, good)
    where(good, plain)
    # Nothing but the binary is started, so nothing else can see the key.
    calls = re.findall(r"^[ \t]*(?:&|\.) .*$|Start-Process|Invoke-\w+", (ROOT / "dist" / "launch.ps1").read_text(), re.MULTILINE)
    ensure(calls == ["& $binary @args"], f"launch.ps1 starts more than the binary: {calls}")
    powershell = shutil.which("pwsh")
    if powershell:
        code, said = run([powershell, "-File", tampered / "dist/launch.ps1", "--version"])
        ensure(code == 70 and "is not the released binary" in said, f"pwsh: {code}: {said}")
        code, said = run([powershell, "-File", good / "dist/launch.ps1", "--version"])
        ensure(code == 0, f"pwsh: {code}: {said}")
    pwsh = "pwsh too" if powershell else "pwsh is not on this machine"
    return f"refused with 70 and one sentence in {tried} shell settings, {machines}; the key reaches the program alone; {pwsh}"


def others(good, plain):
    """Machines without a binary."""
    for variables, words in (
        ({"RUNNER_OS": "macOS", "RUNNER_ARCH": "ARM64"}, "for macos arm64"),
        ({"RUNNER_OS": "Windows", "RUNNER_ARCH": "X64"}, "nunu-ci-windows-x64.exe"),
        ({"RUNNER_ARCH": "ARM"}, "for ARM processors"),
        ({"RUNNER_OS": "Plan9"}, "for Plan9"),
    ):
        code, said = run(["sh", good / "dist/launch.sh"], env={**plain, **variables}, clean=True)
        ensure(code == 70 and words in said, f"{variables}: {code}: {said}")


def alone(stage, good):
    """Machines with one of the digest tools only, and with none; /usr/bin is looked at before PATH, so it is exchanged."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
        return "machines with one digest tool not tried: that needs root"
    tried = [tool for tool in ("sha256sum", "shasum", "openssl", "busybox") if shutil.which(tool)]
    for tool in (*tried, None):
        programs = stage.fresh("programs")
        for name in filter(None, ("sh", "uname", tool, "perl" if tool == "shasum" else None)):
            shutil.copy(pathlib.Path(shutil.which(name)).resolve(), programs / name)
        code, said, seen = watched(stage, good, fake=[], programs=programs)
        if tool:
            ensure(code == 0, f"with {tool} alone: {code}: {said}")
        else:
            ensure(code == 70 and "cannot be checked" in said, f"without any tool: {code}: {said}")
        # Where the system has none, one from PATH has to do: it gets no key.
        if not tool:
            code, said, seen = watched(stage, good, fake=["sha256sum"], programs=programs)
            ensure(seen and not any(secret in seen for secret in SECRETS.values()), f"sha256sum from PATH got a key:\n{seen}")
    return f"with {', '.join(tried)} alone"


def watched(stage, good, fake, programs=None, shell=("/bin/sh",)):
    """Starts the launcher with programs of somebody else in PATH, which write down what they see; /usr/bin may be exchanged."""
    spies = stage.fresh("spies")
    notes = spies / "notes"
    for name in fake:
        (spies / name).write_text(f'#!/bin/sh\nexport >>"{notes}"\nprintf "%064d  -\\n" 0\n')
        (spies / name).chmod(0o755)
    command = [*shell, str(good / "dist/launch.sh"), "--version"]
    if programs:
        command = ["unshare", "-m", "/bin/sh", "-c", f'mount --bind "{programs}" /usr/bin && exec "$@"', "sh", *command]
    # Names of the launcher's own variables, exported by somebody else.
    own = dict.fromkeys(("token", "key", "github", "gitlab", "given", "found", "wanted"), "exported")
    code, said = run(command, env={"PATH": f"{spies}:/usr/bin:/bin", **own, **SECRETS}, clean=True)
    return code, said, notes.read_text() if notes.exists() else ""


def secrets(stage, good):
    """The key is in the environment of the program and of nothing else, and the system's tools come first."""
    for shell in shells():
        tools = ["uname", "sha256sum", "shasum", "openssl", "busybox", "chmod", "cat"]
        _, said, seen = watched(stage, good, fake=tools, shell=shell)
        ensure(said.startswith("nunu-ci ") and not seen, f"{shell[0]}: a program from PATH comes before the system's: {said}\n{seen}")
        # A program in the binary's place shows what the real one gets.
        checkout = stage.fresh("shown")
        binary = stage.action_checkout(checkout)
        binary.write_text("#!/bin/sh\nenv\n")
        digest = hashlib.sha256(binary.read_bytes()).hexdigest()
        (checkout / "dist" / "SHA256SUMS").write_text(f"{digest}  bin/{binary.name}\n")
        path = f"{checkout}:/usr/bin:/bin"
        code, said = run([*shell, checkout / "dist/launch.sh"], env={"PATH": path, **SECRETS}, clean=True)
        for name, value in {**SECRETS, "PATH": path}.items():
            ensure(f"\n{name}={value}\n" in f"\n{said}", f"{shell[0]}: the program does not get {name}: {code}: {said}")


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
