"""Programs of other systems on this machine: green, red and cancelled runs against the simulator, the same for each of them."""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import re
import ssl
import subprocess
import termios
import threading

from stage import ROOT, Skipped, build, ensure, run

TRIPLES = {"linux-arm64": "aarch64-unknown-linux-gnu", "windows-x64": "x86_64-pc-windows-gnu",
           "macos-x64": "x86_64-apple-darwin", "macos-arm64": "aarch64-apple-darwin"}
# The simulator's "Windows VM".
WINDOWS_DEVICE = "456e7890-e89b-42d3-a456-426614174003"
TLS = ROOT / "tests" / "fixtures" / "tls"


def program(name):
    """The bundled program, or the one that dist/build.sh compiled last."""
    suffix = ".exe" if name.startswith("windows") else ""
    built = ROOT / "target" / TRIPLES[name] / "release" / f"nunu-ci{suffix}"
    for path in (ROOT / "dist" / "bin" / f"nunu-ci-{name}{suffix}", built):
        if path.exists():
            return path
    raise Skipped(f"there is no program for {name} yet: dist/build.sh {name} makes it")


class Guest:
    """A program, what starts it, and how it writes the paths of this machine."""

    def __init__(self, stage, start, env=None, path=str):
        self.stage, self.start, self.env, self.path = stage, [str(word) for word in start], env or {}, path

    def runner(self, service, work, system, machine):
        """What a step of the action gets on such a runner."""
        temp = work / "temp"
        temp.mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"], "HOME": str(work), "CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_OS": system, "RUNNER_ARCH": machine,
            "RUNNER_TEMP": self.path(temp), "GITHUB_WORKSPACE": self.path(work), "GITHUB_OUTPUT": self.path(temp / "output"),
            "GITHUB_STEP_SUMMARY": self.path(temp / "summary"), "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "test",
            "GITHUB_ACTION": "nunu", "GITHUB_REPOSITORY": "o/r", "NUNU_MATRIX_INDEX": "0", "NUNU_TEST_ID": service.ids["test"],
            "NUNU_DEPLOYMENT_CONFIG_ID": service.ids["device"], **service.variables, **self.env,
        }

    def run(self, words, env, work, timeout=120):
        return run([*self.start, *words], env=env, cwd=work, clean=True, timeout=timeout)


def strings(value):
    """Every text in a JSON value."""
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def outputs(work):
    """GITHUB_OUTPUT as the runner reads it."""
    text = (work / "temp" / "output").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)<<(?:ghadelimiter_\S+)\n(.*?)\nghadelimiter_", text, re.MULTILINE | re.DOTALL))


def lay(folder):
    """A game as its engine leaves it: folders, spaces, letters of other languages."""
    for name, size in (("Spiel Größe.exe", 12_000_000), ("Daten/Über uns.txt", 3000), ("Daten/Stufe 1/karte.bin", 400_000)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hashlib.shake_256(name.encode()).digest(size))


def both_verdicts(guest, system, machine):
    """A folder in parts with all artifacts; the program of this machine packs the same folder to the same bytes."""
    with guest.stage.sim("failed", speed=40) as service:
        work = guest.stage.fresh("Arbeit für Ünü")
        lay(work / "Mein Spiel")
        env = guest.runner(service, work, system, machine)
        words = ["run", "--build-path", "Mein Spiel", "--platform", "windows", "--artifacts", "all", "--results-dir", "Meine Ergebnisse",
                 "--deployment-config-id", WINDOWS_DEVICE]
        code, said = guest.run(words, {**env, "NUNU_MULTIPART": "always"}, work)
        ensure(code == 1, f"a red run ended with {code}, not 1:\n{said[-3000:]}")
        red = outputs(work)
        ensure((red.get("status"), red.get("exit-reason")) == ("failed", "tests-failed"), f"a red run put out {red}")
    with guest.stage.sim("passed", speed=40) as service:
        env = guest.runner(service, work, system, machine)
        (work / "temp" / "output").unlink()
        code, said = guest.run(words, {**env, "NUNU_MULTIPART": "always"}, work)
        ensure(code == 0, f"a green run ended with {code}:\n{said[-3000:]}")
        out = outputs(work)
        ensure((out.get("status"), out.get("exit-code")) == ("passed", "0"), f"a green run put out {out}")
        where = guest.path(work / "Meine Ergebnisse" / "results.json")
        ensure(out.get("results-file") == where, f"results-file is {out.get('results-file')}, not {where}")
        results = json.loads((work / "Meine Ergebnisse" / "results.json").read_text(encoding="utf-8"))
        stored = [path for path in strings(results) if path.startswith("artifacts/")]
        ensure(stored, "no artifact was stored")
        missing = [file for file in stored if "\\" in file or not (work / "Meine Ergebnisse" / file).is_file()]
        ensure(not missing, f"artifacts that are not where results.json says: {missing}")
        ensure((work / "Meine Ergebnisse" / "junit.xml").is_file() and (work / "temp" / "summary").is_file(), "no JUnit file or no summary")
        code, here = run([guest.stage.binary, "upload", "--build-path", "Mein Spiel", "--platform", "windows"],
                         env={**service.variables, "PATH": os.environ["PATH"]}, cwd=work, clean=True)
        ensure(code == 0 and out["build-sha256"] in here + (work / "nunu-results" / "nunu.env").read_text(),
               f"the same folder is another build here than {out['build-sha256']}:\n{here[-2000:]}")
    return len(stored)


def cancelled(guest, system, machine, begin, cancel, code):
    """Cancelled while its job runs: the job is stopped, and the report says so."""
    with guest.stage.sim("slow", speed=40) as service:
        work = guest.stage.fresh("cancelled")
        env = {**guest.runner(service, work, system, machine), "NUNU_BUILD_PATH": guest.path(build(work))}
        process = begin(guest, env, work)
        service.wait_for_job({"RUNNING"})
        cancel(process)
        said, ended = process.end()
        ensure(ended == code, f"exit code {ended}, not {code}, after the signal:\n{said[-3000:]}")
        ensure(outputs(work).get("status") == "cancelled", f"outputs after the signal: {outputs(work)}")
        ensure(service.wait_for_job({"COMPLETED"}).get("stopped_by"), "the job was not stopped")
        return said


def killed(guest, system, machine, begin):
    """Killed hard while its job runs: the safety net of the next step stops the job."""
    with guest.stage.sim("slow", speed=40) as service:
        work = guest.stage.fresh("killed")
        env = {**guest.runner(service, work, system, machine), "NUNU_BUILD_PATH": guest.path(build(work))}
        process = begin(guest, env, work)
        service.wait_for_job({"RUNNING"})
        process.kill()
        process.end()
        ensure(service.jobs()[0]["status"] == "RUNNING", "a killed program cannot have stopped its job")
        code, said = guest.run(["stop", "--best-effort"], env, work)
        ensure(code == 0, f"the safety net ended with {code}: {said}")
        ensure(service.wait_for_job({"COMPLETED"}).get("stopped_by"), "the safety net did not stop the job")


class Piped:
    """A started program whose output is read."""

    def __init__(self, guest, env, work):
        self.process = subprocess.Popen([*guest.start, "run"], env=env, cwd=work, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def kill(self):
        self.process.kill()

    def end(self):
        said = self.process.communicate(timeout=60)[0]
        return said.decode("utf-8", "replace"), self.process.returncode


class Pty:
    """A started program in a terminal of its own, where Ctrl-C can be typed."""

    def __init__(self, guest, env, work):
        self.near, far = os.openpty()
        self.process = subprocess.Popen([*guest.start, "run"], env={**env, "TERM": "xterm"}, cwd=work, stdin=far, stdout=far, stderr=far,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(far)
        self.said = bytearray()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                some = os.read(self.near, 65536)
            except OSError:
                return
            if not some:
                return
            self.said += some

    def type(self, keys):
        os.write(self.near, keys)

    def kill(self):
        self.process.kill()

    def end(self):
        code = self.process.wait(60)
        self.reader.join(5)
        os.close(self.near)
        return self.said.decode("utf-8", "replace"), code


class Tls:
    """The simulated service behind TLS, with a certificate of the authority in tests/fixtures."""

    def __init__(self, folder, url):
        chain, key = folder / "server.pem", folder / "key.pem"
        chain.write_text(ssl.DER_cert_to_PEM_cert((TLS / "server.der").read_bytes()))
        pem = ssl.DER_cert_to_PEM_cert((TLS / "server-key.der").read_bytes())
        key.write_text(pem.replace("CERTIFICATE", "PRIVATE KEY"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self.port = int(url.rsplit(":", 1)[1].strip("/"))
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.carry, "127.0.0.1", 0, ssl=context), self.loop).result(30)
        self.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"

    async def carry(self, near_in, near_out):
        far_in, far_out = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(pour(near_in, far_out), pour(far_in, near_out))

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)


async def pour(source, target):
    """Carries bytes until one side has enough."""
    with contextlib.suppress(OSError):
        while some := await source.read(65536):
            target.write(some)
            await target.drain()
        target.close()


def over_tls(guest, system, machine, trusted):
    """A run over TLS: refused while nobody trusts the authority, green once `trusted` made it so; `trusted` gives variables."""
    with guest.stage.sim("passed", speed=40) as service:
        work = guest.stage.fresh("tls")
        tls = Tls(work, service.variables["NUNU_API_URL"])
        env = {**guest.runner(service, work, system, machine), "NUNU_API_URL": tls.url}
        code, said = guest.run(["run"], env, work)
        ensure(code == 7 and outputs(work).get("exit-reason") == "network-error", f"an unknown authority: exit code {code}:\n{said[-2000:]}")
        code, said = guest.run(["run"], {**env, **trusted(work)}, work)
        ensure(code == 0, f"a run over TLS ended with {code}:\n{said[-2000:]}")
        tls.close()
