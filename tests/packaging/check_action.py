"""The composite action under a real local runner (nektos/act, host mode) against the simulator."""

import contextlib
import json
import os
import re
import subprocess

from stage import Stranger, build, ensure, run

# A key of the simulator that may look, but neither upload nor start.
READ_ONLY_KEY = "nunu_demo_2a6e4d90c1f7b358_readonly"

GREEN = r"""
on: push
permissions: {}
jobs:
  first:
    runs-on: ubuntu-latest
    env:
      NUNU_TEST_ID: ${TEST}
      # Inputs that are not set must leave these alone; the ones that are set must win.
      NUNU_RESULTS_DIR: out/results
      NUNU_BUILD_PATH: nowhere.apk
      NUNU_NAME: from the job
    outputs:
      id: ${{ steps.nunu.outputs.build-id }}
    steps:
      - uses: actions/checkout@v7
      - id: nunu
        uses: ./
        with:
          api-token: ${{ secrets.NUNU_API_TOKEN }}
          build-path: build/game.apk
          deployment-config-id: ${DEVICE}
          api-url: ${API}
          description: |
            two lines, 100 %
            $(touch injected) `touch injected` "quoted" 'single' ${HOME}
      - env:
          ALL: ${{ toJSON(steps.nunu.outputs) }}
        shell: sh
        run: |
          printf 'OUTPUTS %s\n' "$(printf '%s' "$ALL" | tr -d '\n')"
          find . -name injected
          test -s out/results/junit.xml && echo "results are where the job wants them"
  second:
    needs: first
    runs-on: ubuntu-latest
    env: { NUNU_BUILD_PATH: nowhere.apk, NUNU_TEST_ID: "${TEST}" }
    steps:
      - uses: actions/checkout@v7
      - id: nunu
        uses: ./
        with:
          api-token: ${{ secrets.NUNU_API_TOKEN }}
          build-id: ${{ needs.first.outputs.id }}
          deployment-config-id: ${DEVICE}
          api-url: ${API}
          command: start
      - id: wait
        uses: ./
        with:
          api-token: ${{ secrets.NUNU_API_TOKEN }}
          api-url: ${API}
          command: wait
          job-ids: ${{ steps.nunu.outputs.job-ids }}
      - env:
          SAID: ${{ steps.nunu.outputs.build-status }} ${{ steps.nunu.outputs.status }} ${{ steps.wait.outputs.status }}
        shell: sh
        run: echo "second says $SAID"
"""

RED = r"""
on: push
permissions: {}
jobs:
  red:
    runs-on: ubuntu-latest
    strategy:
      fail-fast: false
      matrix:
        device: [one, two]
    steps:
      - uses: actions/checkout@v7
      - id: nunu
        uses: ./
        with:
          api-token: ${{ secrets.NUNU_API_TOKEN }}
          api-url: ${API}
          file: build/game.apk
          test-id: ${TEST}
          deployment-config-id: ${DEVICE}
          results-dir: results-${{ matrix.device }}
      - if: failure()
        env:
          SAID: ${{ steps.nunu.outputs.exit-code }} ${{ steps.nunu.outputs.exit-reason }} ${{ steps.nunu.outputs.tests-failed }}
        shell: sh
        run: echo "after the failure $SAID"
      - shell: sh
        run: echo "this must not run"
"""

# What an earlier step of the job writes must not stand in for an input, nor change where the key goes.
HOSTILE = r"""
on: push
permissions: {}
jobs:
  inputs:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
      - shell: sh
        run: |
          for prefix in INPUT_ NUNU_INPUT_ NUNU_OUTPUT_; do
            for pair in API-URL=${EVIL} API_URL=${EVIL} DRY-RUN=true DRY_RUN=true COMMAND=check FAIL-ON=skipped FAIL_ON=skipped \
                API-TOKEN=nunu_other_0123456789 API_TOKEN=nunu_other_0123456789 BUILD-ID=other BUILD_ID=other FILE=nowhere.apk; do
              echo "$prefix$pair" >>"$GITHUB_ENV"
            done
          done
          echo "NUNU_ACTION=docker" >>"$GITHUB_ENV"
          echo "NUNU_BASE_URL=${EVIL}" >>"$GITHUB_ENV"
          echo "NUNU_API_URL=${EVIL}" >>"$GITHUB_ENV"
      - id: nunu
        uses: ./
        with:
          api-token: ${{ secrets.NUNU_API_TOKEN }}
          api-url: ${API}
          build-path: build/game.apk
          test-id: ${TEST}
          deployment-config-id: ${DEVICE}
      - env:
          SAID: ${{ steps.nunu.outputs.status }} ${{ steps.nunu.outputs.build-status }}
        shell: sh
        run: echo "inputs say $SAID"
"""

ADDRESS = r"""
on: push
permissions: {}
jobs:
  address:
    runs-on: ubuntu-latest
    strategy: { fail-fast: false, matrix: { name: [NUNU_API_URL, NUNU_BASE_URL] } }
    steps:
      - uses: actions/checkout@v7
      - env: { NAME: "${{ matrix.name }}" }
        shell: sh
        run: echo "$NAME=${EVIL}" >>"$GITHUB_ENV"
      - id: nunu
        uses: ./
        with:
          api-token: ${{ secrets.NUNU_API_TOKEN }}
          build-path: build/game.apk
          test-id: ${TEST}
          deployment-config-id: ${DEVICE}
      - if: failure()
        env:
          SAID: ${{ matrix.name }} ${{ steps.nunu.outputs.exit-code }} ${{ steps.nunu.outputs.exit-reason }}
        shell: sh
        run: echo "after the failure $SAID"
"""

# The program is exchanged for one that prints what it gets.
PROBE = r"""
on: push
permissions: {}
jobs:
  plain:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
      - uses: ./
        with: { name: plain }
  off:
    runs-on: ubuntu-latest
    env: { NUNU_COMMENT: "true" }
    steps:
      - uses: actions/checkout@v7
      - uses: ./
        with: { name: "off", comment: "false" }
  input:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
      - uses: ./
        with: { name: input, comment: "true" }
  variable:
    runs-on: ubuntu-latest
    env: { NUNU_COMMENT: "true", NUNU_API_URL: "https://a.example", NUNU_BASE_URL: "https://b.example" }
    steps:
      - uses: actions/checkout@v7
      - uses: ./
        with: { name: variable }
  own:
    runs-on: ubuntu-latest
    env: { NUNU_API_URL: "https://a.example" }
    steps:
      - uses: actions/checkout@v7
      - uses: ./
        with: { name: own, comment: "true", github-token: of-the-user, api-url: "https://input.example" }
"""
PROBED = {
    "plain": {"NUNU_GITHUB_TOKEN": "", "NUNU_API_URL": "", "NUNU_BASE_URL": ""},
    "off": {"NUNU_GITHUB_TOKEN": "", "NUNU_COMMENT": "false"},
    "input": {"NUNU_GITHUB_TOKEN": "of-the-job", "NUNU_COMMENT": "true"},
    "variable": {"NUNU_GITHUB_TOKEN": "of-the-job", "NUNU_API_URL": "", "NUNU_BASE_URL": "",
                 "NUNU_ACTION_ENV_API_URL": "https://a.example", "NUNU_ACTION_ENV_BASE_URL": "https://b.example"},
    "own": {"NUNU_GITHUB_TOKEN": "of-the-user", "NUNU_API_URL": "https://input.example"},
}


def fill(text, service, stranger=None):
    for name, value in (("API", service.variables["NUNU_API_URL"]), ("TEST", service.ids["test"]),
                        ("DEVICE", service.ids["device"]), ("EVIL", stranger.url if stranger else "")):
        text = text.replace("${" + name + "}", value)
    return text


def repository(stage, workflow, service=None, stranger=None, program=None):
    """A clean checkout of the action that tests itself, as `uses: ./`; the program may be another one."""
    folder = stage.fresh("repository")
    stage.action_checkout(folder, program)
    build(folder, name="build/game.apk")
    (folder / ".github" / "workflows").mkdir(parents=True)
    (folder / ".github" / "workflows" / "test.yml").write_text(fill(workflow, service, stranger) if service else workflow)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "test: a commit"],
                  ["remote", "add", "origin", "https://github.com/o/r.git"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder


def act(stage, folder, token):
    """Runs the workflow on this machine, without containers and without a network."""
    home = stage.fresh("home")
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    # The key comes through a file: an argument would be seen by everyone on the machine.
    secrets = home / "secrets"
    secrets.write_text(f"NUNU_API_TOKEN={token}\nGITHUB_TOKEN=of-the-job\n")
    command = [stage.tool("act"), "push", "-P", "ubuntu-latest=-self-hosted", "--pull=false",
               "--secret-file", secrets, "--no-cache-server"]
    code, said = run(command, env=env, cwd=folder, clean=True, timeout=300)
    ensure(token not in said, "the key is in the log of the job")
    return code, said


def check(stage):
    with stage.sim("passed", speed=20) as service:
        folder = repository(stage, GREEN, service)
        code, said = act(stage, folder, service.variables["NUNU_API_TOKEN"])
        ensure(code == 0, f"the green workflow ended with {code}:\n{said[-4000:]}")
        outputs = json.loads(re.search(r"OUTPUTS (\{.*\})", said).group(1))
        for name, value in (("status", "passed"), ("exit-code", "0"), ("build-status", "uploaded"), ("tests-passed", "1")):
            ensure(outputs.get(name) == value, f"output {name} is {outputs.get(name)!r}, not {value!r}")
        ensure(re.fullmatch(r"[0-9a-f]{64}", outputs.get("build-sha256", "")), f"build-sha256: {outputs}")
        ensure("results are where the job wants them" in said, f"the job's variable was lost: {outputs}")
        ensure("second says given started passed" in said, f"the second job got no build-id:\n{said[-3000:]}")
        ensure("/injected" not in said, "an input was run as a script")
    with stage.sim("failed", speed=20) as service:
        code, said = act(stage, repository(stage, RED, service), service.variables["NUNU_API_TOKEN"])
        ensure(code != 0, f"the red workflow is green:\n{said[-4000:]}")
        ensure(said.count("after the failure 1 tests-failed 1") == 2, f"outputs after a failure:\n{said[-4000:]}")
        ensure("this must not run" not in said, "the failed step did not fail the job")
        ensure(len(service.jobs()) == 2, f"two legs of a matrix started {len(service.jobs())} jobs")
    with stage.sim("passed") as service:
        code, said = act(stage, repository(stage, RED, service), "nunu_wrong_key_123456")
        ensure(code != 0 and "Invalid API key" in said, f"no word of the wrong key:\n{said[-3000:]}")
        ensure("after the failure 3 api-key-invalid" in said, f"exit code 3:\n{said[-3000:]}")
        code, said = act(stage, repository(stage, RED, service), READ_ONLY_KEY)
        for permission in ("project:manage-build-storage", "project:operate-runs"):
            ensure(f"API key missing required permission: {permission}" in said, f"no word of {permission}:\n{said[-3000:]}")
        ensure(code != 0 and "after the failure 3 permission-missing" in said, f"exit code 3:\n{said[-3000:]}")
        ensure(not service.jobs(), "a key without permission started something")
    hostile(stage)
    probe(stage)
    return "7 workflows, 17 jobs: inputs, variables, outputs, two commands, a red matrix, a wrong key, missing permissions, "\
           "variables of earlier steps, the job's token for the comment alone"


def hostile(stage):
    """Variables that an earlier step wrote."""
    with stage.sim("passed", speed=20) as service, contextlib.closing(Stranger()) as stranger:
        code, said = act(stage, repository(stage, HOSTILE, service, stranger), service.variables["NUNU_API_TOKEN"])
        ensure(code == 0 and "inputs say passed uploaded" in said, f"variables of an earlier step changed the run:\n{said[-4000:]}")
        ensure(len(service.jobs()) == 1, f"not one job:\n{said[-4000:]}")
        code, said = act(stage, repository(stage, ADDRESS, service, stranger), service.variables["NUNU_API_TOKEN"])
        for name in ("NUNU_API_URL", "NUNU_BASE_URL"):
            ensure(f"after the failure {name} 2 invalid-input" in said, f"{name} of an earlier step:\n{said[-4000:]}")
        ensure(f"below with: api-url: {stranger.url}" in said, f"the input is not named:\n{said[-4000:]}")
        ensure(stranger.calls() == 0, "the address of an earlier step was called")


def probe(stage):
    """What reaches the program."""
    program = stage.fresh("program") / "probe"
    program.write_text("#!/bin/sh\nenv | sed -n \"s/^NUNU_/PROBE ${NUNU_NAME:-stop} NUNU_/p\"\n")
    code, said = act(stage, repository(stage, PROBE, program=program), "nunu_probe_0123456789")
    ensure(code == 0, f"the probe ended with {code}:\n{said[-4000:]}")
    for job, expected in PROBED.items():
        seen = dict(re.findall(rf"PROBE {job} (NUNU_\w+)=(.*?)\s*$", said, re.MULTILINE))
        for name, value in {"NUNU_ACTION": "composite", **expected}.items():
            found = seen.get(name, "").replace("***", "of-the-job" if value == "of-the-job" else "***")
            ensure(seen and found == value, f"{job}: {name} is {seen.get(name)!r}, not {value!r}:\n{said[-3000:]}")
