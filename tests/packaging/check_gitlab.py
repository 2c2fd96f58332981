"""The GitLab component under gitlab-ci-local: dotenv to the next job, after_script, artifacts, a red job."""

import os
import shutil
import subprocess

from stage import ROOT, build, ensure, run

PIPELINE = """
stages: [test, later]
include:
  - local: templates/nunu-run.yml
    inputs:
      build-path: build/game.apk
      test-id: {test}
      deployment-config-id: {device}
      fail-on: "{gate}"
later:
  stage: later
  when: always
  script:
    - echo "later knows $NUNU_OUTPUT_BUILD_ID $NUNU_OUTPUT_STATUS $NUNU_OUTPUT_EXIT_REASON"
    - ls nunu-results
"""


def project(stage, text, builds=("build/game.apk",), files=()):
    """A GitLab project with this pipeline, the component, builds and further files (name and text)."""
    folder = stage.fresh("project")
    for name in builds:
        build(folder, name=name)
    (folder / "templates").mkdir()
    shutil.copy(ROOT / "templates" / "nunu-run.yml", folder / "templates")
    (folder / ".gitlab-ci.yml").write_text(text)
    for name, content in files:
        (folder / name).write_text(content)
    (folder / ".gitignore").write_text(".gitlab-ci-local\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "test: a commit"],
                  ["remote", "add", "origin", "git@gitlab.com:o/r.git"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder


def pipeline(stage, folder, variables, *options):
    """Runs it; the variables are those of the project."""
    programs = stage.fresh("programs")
    (programs / "nunu-ci").symlink_to(stage.binary)
    home = stage.fresh("home")
    env = {"PATH": f"{programs}:{stage.tools / 'bin'}:{os.environ['PATH']}", "HOME": str(home)}
    command = [stage.tool("gitlab-ci-local"), "--force-shell-executor", "--no-color", *options]
    for name, value in {"GITLAB_CI": "true", **variables}.items():
        command += ["--variable", f"{name}={value}"]
    return run(command, env=env, cwd=folder, clean=True, timeout=300)


def check(stage):
    stage.debian({"rsync": "rsync"})
    with stage.sim("passed", speed=20) as service:
        folder = project(stage, PIPELINE.format(gate="failed, error", **service.ids))
        code, said = pipeline(stage, folder, service.variables)
        ensure(code == 0, f"the green pipeline ended with {code}:\n{said[-4000:]}")
        known = [line for line in said.splitlines() if "later knows" in line and "echo" not in line]
        ensure(known and known[-1].rstrip().endswith("passed passed") and len(known[-1].split("knows")[1].split()) == 3,
               f"the next job does not know the outputs:\n{said[-3000:]}")
        for name in ("junit.xml", "results.json", "nunu.env", "gl-annotations.json"):
            ensure(list(folder.rglob(f"nunu-results/{name}")), f"no {name}:\n{said[-3000:]}")
        ensure("nunu_checking_the_key" in said, f"no sections:\n{said[-3000:]}")
    with stage.sim("failed", speed=20) as service:
        folder = project(stage, PIPELINE.format(gate="failed, error", **service.ids))
        code, said = pipeline(stage, folder, service.variables)
        ensure(code != 0, f"the red pipeline is green:\n{said[-4000:]}")
        ensure("failed tests-failed" in said, f"the next job does not know why:\n{said[-4000:]}")
        ensure(service.variables["NUNU_API_TOKEN"] not in said, "the key is in the log")
    return "the component: outputs by dotenv in the next job, artifacts, also of a red job"
