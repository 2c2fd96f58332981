"""One GitLab pipeline that uses nunu-ci many times: two play-tests, a start that leaves, a job that is killed, a clean-up. Once with the
jobs of the cookbook, once with the component. What one job hands on must not change what the next one does by itself."""

import json
import re

from stage import ROOT, ensure

from check_gitlab import pipeline, project

# The key stays a variable of the project; who is asked depends on the job: one service lets tests pass, the other one is slow.
HEAD = """
stages: [test, later, look]
variables:
  NUNU_API_URL: {quick}
"""

# A play-test that dies in the hardest way while its test runs. `after_script` is the safety net.
KILLED = """
killed:
  stage: later
  allow_failure: true
  variables:
    NUNU_API_URL: {slow}
    NUNU_BUILD_PATH: build/other.apk
    NUNU_TEST_ID: {test}
    NUNU_DEPLOYMENT_CONFIG_ID: {device}
    NUNU_RESULTS_DIR: killed-results
  script:
    - nunu-ci & program=$!
    - while kill -0 "$program" && ! grep -q JOB_IDS killed-results/nunu.env; do sleep 0.1; done
    - kill -KILL "$program"
    - exit 1
  after_script:
    - nunu-ci stop --best-effort
  artifacts:
    when: always
    reports:
      dotenv: killed-results/nunu.env

look:
  stage: look
  when: always
  script:
    - python3 look.py
"""

# What the slow service knows when every play-test is over and before the clean-up.
LOOK = """
import json, urllib.request
request = urllib.request.Request("{slow}/api/v1/jobs", headers={{"X-Api-Key": "{key}"}})
print("LOOK " + urllib.request.urlopen(request, timeout=10).read().decode().replace("\\n", ""))
"""

COMPONENT = """
include:
  - local: templates/nunu-run.yml
    inputs: {{ job-name: play-test, build-path: build/app.apk, test-id: {test}, deployment-config-id: {device}, api-url: "{quick}" }}
  - local: templates/nunu-run.yml
    inputs: {{ job-name: second, stage: later, build-path: build/other.apk, test-id: {test}, deployment-config-id: {device}, api-url: "{quick}" }}
  - local: templates/nunu-run.yml
    inputs: {{ job-name: third, stage: later, build-id: $NUNU_OUTPUT_BUILD_ID, test-id: {test}, deployment-config-id: {device}, api-url: "{quick}" }}
  - local: templates/nunu-run.yml
    inputs: {{ job-name: start, build-path: build/app.apk, test-id: {test}, deployment-config-id: {device}, api-url: "{slow}", wait: "false" }}
  - local: templates/nunu-run.yml
    inputs: {{ job-name: clean-up, stage: .post, command: stop, job-ids: $NUNU_OUTPUT_JOB_IDS, api-url: "{slow}" }}
third:
  dependencies: [play-test]
clean-up:
  dependencies: [start]
  when: always
"""


def readme_jobs(ids):
    """The jobs of the cookbook's page on GitLab, and two more of the same kind, with the ids of the services."""
    section = (ROOT / "docs" / "cookbook" / "gitlab.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    test, ends = (next(block for block in blocks if block.startswith(f"{name}:\n")) for name in ("play-test", "start"))
    for old, new in (("789e0123-e89b-12d3-a456-426614174000", ids["test"]), ("456e7890-e89b-12d3-a456-426614174000", ids["device"])):
        ensure(old in test, f"the cookbook's job names no {old}")
        test = test.replace(old, new)
    second = test.replace("play-test:\n", "second:\n  stage: later\n").replace("build/app.apk", "build/other.apk")
    third = (test.replace("play-test:\n", "third:\n  stage: later\n  dependencies: [play-test]\n")
             .replace("NUNU_BUILD_PATH: build/app.apk", "NUNU_BUILD_ID: $NUNU_OUTPUT_BUILD_ID"))
    start = ends.replace('NUNU_WAIT: "false"', f'NUNU_WAIT: "false"\n    NUNU_API_URL: {ids["slow"]}')
    start = start.replace("clean-up:\n", f"clean-up:\n  variables: {{ NUNU_API_URL: {ids['slow']} }}\n")
    return "\n".join((test, second, third, start))


def output(folder, job, name):
    """An output that a job handed on, from the file in its own checkout or artifacts."""
    files = [path for path in folder.rglob("nunu.env") if job in path.parts]
    ensure(files, f"the job {job} left no nunu.env: {sorted(folder.rglob('nunu.env'))}")
    found = re.search(rf"^NUNU_OUTPUT_{name}=(.*)$", files[0].read_text(), re.MULTILINE)
    ensure(found, f"the job {job} has no {name}:\n{files[0].read_text()}")
    return found.group(1)


def one(stage, kind):
    with stage.sim("passed", speed=20) as quick, stage.sim("slow") as slow:
        ids = {**quick.ids, "quick": quick.variables["NUNU_API_URL"], "slow": slow.variables["NUNU_API_URL"]}
        text = HEAD.format(**ids) + (readme_jobs(ids) if kind == "cookbook" else COMPONENT.format(**ids)) + KILLED.format(**ids)
        key = quick.variables["NUNU_API_TOKEN"]
        folder = project(stage, text, builds=("build/app.apk", "build/other.apk"), files=[("look.py", LOOK.format(key=key, **ids))])
        code, said = pipeline(stage, folder, {"NUNU_API_TOKEN": key}, "--concurrency", "1")
        said = f"by {kind}:\n{said[-6000:]}"
        ensure(code == 0, f"the pipeline ended with {code}, {said}")
        jobs = {job["job_id"]: job for job in quick.jobs()}
        first, second, third = (output(folder, name, "JOB_IDS") for name in ("play-test", "second", "third"))
        ensure(set(jobs) == {first, second, third}, f"three play-tests made the jobs {set(jobs)}, {said}")
        builds = [output(folder, name, "BUILD_ID") for name in ("play-test", "second", "third")]
        ensure(builds[0] == builds[2] != builds[1], f"the play-tests tested the builds {builds}, {said}")
        ensure([jobs[job]["build_id"] for job in (first, second, third)] == builds, f"the service tested other builds, {said}")
        statuses = [output(folder, name, "STATUS") for name in ("play-test", "second", "third", "start")]
        ensure(statuses == ["passed"] * 3 + ["started"], f"the jobs ended as {statuses}, {said}")
        # The killed job was stopped by its own after_script; the one that was left ran on until the clean-up.
        left, killed = (output(folder, name, "JOB_IDS") for name in ("start", "killed"))
        before = json.loads(re.search(r"LOOK (.*)", said).group(1))
        before = {job["job_id"]: job for job in before["data"]}
        ensure(set(before) == {left, killed}, f"the slow service has {set(before)}, {said}")
        ensure(before[killed]["stopped_by"], f"after_script did not stop the killed job's test, {said}")
        ensure(not before[left]["stopped_by"], f"somebody else's after_script stopped the job that was left, {said}")
        after = {job["job_id"]: job for job in slow.jobs()}
        ensure(set(after) == set(before) and after[left]["stopped_by"], f"the clean-up did not stop {left}: {after}, {said}")
        ensure(key not in said, f"the key is in the log, by {kind}")


def check(stage):
    stage.debian({"rsync": "rsync"})
    for kind in ("cookbook", "component"):
        one(stage, kind)
    return "three play-tests, a start that leaves, a killed job and a clean-up in one pipeline, by the cookbook and by the component"
