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
    - echo "later knows $NUNU_BUILD_ID $NUNU_STATUS $NUNU_EXIT_REASON"
    - ls nunu-results
"""


def pipeline(stage, service, gate="failed, error"):
    folder = stage.fresh("project")
    build(folder, name="build/game.apk")
    (folder / "templates").mkdir()
    shutil.copy(ROOT / "templates" / "nunu-run.yml", folder / "templates")
    (folder / ".gitlab-ci.yml").write_text(PIPELINE.format(gate=gate, **service.ids))
    (folder / ".gitignore").write_text(".gitlab-ci-local\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "test: a commit"],
                  ["remote", "add", "origin", "git@gitlab.com:o/r.git"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    programs = stage.fresh("programs")
    (programs / "nunu-ci").symlink_to(stage.binary)
    home = stage.fresh("home")
    env = {"PATH": f"{programs}:{stage.tools / 'bin'}:{os.environ['PATH']}", "HOME": str(home)}
    pairs = {"GITLAB_CI": "true", **service.variables}
    command = [stage.tool("gitlab-ci-local"), "--force-shell-executor", "--no-color"]
    for name, value in pairs.items():
        command += ["--variable", f"{name}={value}"]
    code, said = run(command, env=env, cwd=folder, clean=True, timeout=300)
    return code, said, folder


def check(stage):
    stage.debian({"rsync": "rsync"})
    with stage.sim("passed", speed=20) as service:
        code, said, folder = pipeline(stage, service)
        ensure(code == 0, f"the green pipeline ended with {code}:\n{said[-4000:]}")
        known = [line for line in said.splitlines() if "later knows" in line and "echo" not in line]
        ensure(known and known[-1].rstrip().endswith("passed passed") and len(known[-1].split("knows")[1].split()) == 3,
               f"the next job does not know the outputs:\n{said[-3000:]}")
        for name in ("junit.xml", "results.json", "nunu.env", "gl-annotations.json"):
            ensure(list(folder.rglob(f"nunu-results/{name}")), f"no {name}:\n{said[-3000:]}")
        ensure("nunu_checking_the_key" in said, f"no sections:\n{said[-3000:]}")
    with stage.sim("failed", speed=20) as service:
        code, said, _ = pipeline(stage, service)
        ensure(code != 0, f"the red pipeline is green:\n{said[-4000:]}")
        ensure("failed tests-failed" in said, f"the next job does not know why:\n{said[-4000:]}")
        ensure(service.variables["NUNU_API_TOKEN"] not in said, "the key is in the log")
    return "the component: outputs by dotenv in the next job, artifacts, also of a red job"
