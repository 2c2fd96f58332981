"""Both images, built without a base image and started by podman, as GitLab, Jenkins and plain `docker run` do."""

import json
import os
import subprocess
import time

from stage import ROOT, Skipped, build, ensure, run

TOOLS = {"buildah": "buildah", "podman": "podman", "runc": "runc", "mawk": "mawk"}
# Programs that speak to a network or run any code: none may be in an image.
FORBIDDEN = {"busybox", "wget", "curl", "nc", "ncat", "netcat", "socat", "telnet", "ftp", "tftp", "ssh", "scp", "rsync", "openssl", "ping",
             "nslookup", "dig", "host", "ftpget", "ftpput", "bash", "perl", "python3", "gawk", "apt-get", "dpkg", "mount", "su"}
UID = "1234"


class Engine:
    """podman and buildah with a store of their own, in a sandbox that may lack cgroups."""

    def __init__(self, stage):
        folder = stage.fresh("images")
        self.store = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]
        self.env = {"STORAGE_DRIVER": "vfs"}

    def build(self, context, tag, *options):
        code, said = run(["buildah", *self.store, "bud", "--isolation", "chroot", "-f", ROOT / "Dockerfile", "-t", tag,
                          *options, context], env=self.env)
        ensure(code == 0, f"the image {tag} is not built:\n{said[-2000:]}")

    def command(self, *words, options=(), volume=None):
        mount = ["-v", f"{volume}:/builds/project", "-w", "/builds/project"] if volume else []
        return ["podman", *self.store, "run", "--runtime=runc", "--cgroup-manager=cgroupfs", "--network=host",
                "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--user", UID, "--read-only", "--unsetenv=HOME",
                *mount, *options, *words]

    def run(self, *words, **options):
        return run(self.command(*words, **options), env=self.env)


def workspace(stage):
    """A checkout of somebody else's uid."""
    folder = stage.fresh("workspace")
    build(folder)
    for path in (folder, *folder.iterdir()):
        os.chown(path, int(UID), int(UID))
    return folder


def variables(service):
    pairs = {**service.variables, "NUNU_BUILD_PATH": "game.apk", "NUNU_TEST_ID": service.ids["test"],
             "NUNU_DEPLOYMENT_CONFIG_ID": service.ids["device"], "CI": "true"}
    return [f"--env={name}={value}" for name, value in pairs.items()]


def check(stage):
    stage.debian(TOOLS)
    if os.geteuid() != 0:
        raise Skipped("building images here needs root")
    engine = Engine(stage)
    context = stage.fresh("context")
    code, said = run(["sh", ROOT / "dist/image-context.sh", context, stage.static_binary()])
    ensure(code == 0, f"no context: {said}")
    engine.build(context, "nunu-ci:default")
    engine.build(context, "nunu-ci:scratch", "--target", "scratch")
    code, said = engine.run("nunu-ci:default", "true")
    if code != 0 and "permitted" in said:
        raise Skipped(f"containers cannot be started here: {said.strip()[-200:]}")
    hosts_expect(engine)
    holds(engine)
    with stage.sim("passed", speed=20) as service:
        # The default image has no entrypoint, the other one is the program.
        for image, words in (("nunu-ci:default", ["nunu-ci"]), ("nunu-ci:scratch", [])):
            folder = workspace(stage)
            code, said = engine.run(image, *words, options=["--rm", *variables(service)], volume=folder)
            ensure(code == 0, f"{image}: the run ended with {code}:\n{said[-3000:]}")
            results = json.loads((folder / "nunu-results" / "results.json").read_text())
            ensure(results["status"] == "passed", f"{image}: {results['status']}")
            ensure((folder / "nunu-results" / "junit.xml").stat().st_uid == int(UID), f"{image}: not as uid {UID}")
    container_action(stage, engine)
    took = stopped(stage, engine)
    sizes = subprocess.run(["podman", *engine.store, "images", "--format", "{{.Tag}} {{.Size}}"], env={**os.environ, **engine.env},
                           capture_output=True, text=True, check=True).stdout.split("\n")
    return (f"whole runs in both images ({', '.join(size for size in sizes if size)}) as uid {UID}, read-only, without HOME; "
            f"as a container action; stopped {took:.1f} s after SIGTERM to PID 1")


def hosts_expect(engine):
    """What Jenkins' docker.image().inside and GitLab's runner call in the image."""
    for words in (["cat", "/etc/passwd"], ["env", "sh", "-c", "ps -A -o pid,command e && kill -0 $$"],
                  ["ps", "-A", "-o", "pid,command", "e"], ["sh", "-c", "echo \"Running on $(hostname)\" && test -n \"$(hostname)\""],
                  ["sh", "-c", "nohup sh -c 'echo a | grep -q a' && mkdir -p /tmp/x && nunu-ci --version"]):
        code, said = engine.run("nunu-ci:default", *words, options=["--rm", "--tmpfs=/tmp"])
        ensure(code == 0, f"{' '.join(words)} in the image: {code}: {said}")
    ensure("nunu-ci " in said, f"the program is not in PATH: {said}")


def holds(engine):
    """What is in the images and what is not; they stay root, as GitHub demands of container actions, and work as anybody."""
    for image in ("nunu-ci:default", "nunu-ci:scratch"):
        said = subprocess.run(["podman", *engine.store, "image", "inspect", image], env={**os.environ, **engine.env}, check=True,
                              capture_output=True, text=True).stdout
        config = json.loads(said)[0]["Config"]
        ensure(not config.get("User") and not config.get("WorkingDir", "").strip("/"), f"{image}: USER or WORKDIR is set: {config}")
        for user in ("0", "65534:65534", "4711:0"):
            words = ["nunu-ci"] if image.endswith("default") else []
            code, said = engine.run(image, *words, "--version", options=["--rm", f"--user={user}"])
            ensure(code == 0 and said.startswith("nunu-ci "), f"{image} as user {user}: {code}: {said}")
    code, said = engine.run("nunu-ci:default", "sh", "-c", ". /etc/os-release && echo \"it is $ID $VERSION_ID\"", options=["--rm"])
    ensure(code == 0 and "it is debian" in said or "it is ubuntu" in said, f"no os-release: {code}: {said}")
    code, said = engine.run("nunu-ci:default", "sh", "-c", "find / -xdev -perm /111 '!' -type d", options=["--rm"])
    names = {line.rsplit("/", 1)[-1] for line in said.split()}
    ensure(code == 0 and "nunu-ci" in names and "sh" in names, f"the list of programs: {code}: {said}")
    ensure(not names & FORBIDDEN, f"programs that no image may have: {names & FORBIDDEN}")
    code, said = engine.run("nunu-ci:default", "sh", "-c", "find / -xdev -perm /6000 -type f", options=["--rm"])
    ensure(code == 0 and not said.strip(), f"programs that change the user: {said}")


def container_action(stage, engine):
    """As GitHub's runner starts `uses: docker://...`: root, the workspace in its place, inputs with their hyphens and nothing else."""
    with stage.sim("passed", speed=20) as service:
        folder = workspace(stage)
        inputs = {"api-token": service.variables["NUNU_API_TOKEN"], "api-url": service.variables["NUNU_API_URL"],
                  "project-id": service.variables.get("NUNU_PROJECT_ID", ""), "build-path": "game.apk",
                  "test-id": service.ids["test"], "deployment-config-id": service.ids["device"]}
        runner = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/github/workspace",
                  **{f"INPUT_{name.upper()}": value for name, value in inputs.items()}}
        code, said = engine.run("nunu-ci:scratch", options=["--rm", "--user=0", "-v", f"{folder}:/github/workspace", "-w", "/github/workspace",
                                                            *(f"--env={name}={value}" for name, value in runner.items())])
        ensure(code == 0 and len(service.jobs()) == 1, f"a container action's run ended with {code}:\n{said[-3000:]}")


def stopped(stage, engine):
    """`docker stop`: SIGTERM to PID 1, which is the program itself."""
    took = 0.0
    for image, words in (("nunu-ci:default", ["nunu-ci"]), ("nunu-ci:scratch", [])):
        with stage.sim("slow", speed=40) as service:
            process = subprocess.Popen(engine.command(image, *words, options=["--name=running", "--rm", *variables(service)],
                                                      volume=workspace(stage)),
                                       env={**os.environ, **engine.env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            service.wait_for_job({"RUNNING"})
            began = time.monotonic()
            run(["podman", *engine.store, "--runtime=runc", "--cgroup-manager=cgroupfs", "stop", "--time=8", "running"], env=engine.env)
            said, _ = process.communicate(timeout=30)
            took = max(took, time.monotonic() - began)
            ensure(process.returncode == 143, f"{image}: exit code {process.returncode} after SIGTERM:\n{said[-2000:]}")
            job = service.wait_for_job({"COMPLETED"})
            ensure(job.get("stopped_by"), f"{image}: the job goes on: {job}")
    return took
