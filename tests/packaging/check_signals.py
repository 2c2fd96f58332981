"""Cancelling as GitHub's runner does it: SIGINT to the entry process alone, SIGTERM after 7.5 s, SIGKILL 2.5 s later."""

import json
import os
import re
import signal
import subprocess
import time

from stage import ROOT, build, ensure, run

SHELLS = {"sh": ["sh", "-eu"], "bash": ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"]}


def step_texts():
    """The scripts of the run step and of the safety net, as action.yml has them."""
    found = re.findall(r"'(exec .*)' \}\}$", (ROOT / "action.yml").read_text(), re.MULTILINE)
    ensure(len(found) == 2 and found[1].endswith(" stop --best-effort"), f"unexpected steps in action.yml: {found}")
    return found


def runner_environment(service, checkout, work):
    """What a step of the action gets, and nothing else; HOME is missing on purpose."""
    temp = work / "temp"
    temp.mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"], "CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_OS": "Linux",
        "RUNNER_ARCH": "X64" if os.uname().machine == "x86_64" else "ARM64", "RUNNER_TEMP": str(temp),
        "GITHUB_ACTION_PATH": str(checkout), "GITHUB_OUTPUT": str(temp / "output"),
        "GITHUB_STEP_SUMMARY": str(temp / "summary"), "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_JOB": "test", "GITHUB_ACTION": "nunu", "GITHUB_REPOSITORY": "o/r", "NUNU_MATRIX_INDEX": "0",
        "NUNU_BUILD_PATH": str(build(work)), "NUNU_TEST_ID": service.ids["test"],
        "NUNU_DEPLOYMENT_CONFIG_ID": service.ids["device"], **service.variables,
    }


def start(shell, text, env, work):
    script = work / "step.sh"
    script.write_text(text)
    return subprocess.Popen([*SHELLS[shell], str(script)], env=env, cwd=work, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def cancel(process):
    """The runner's way; gives the seconds until the process was gone."""
    began = time.monotonic()
    for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5), (signal.SIGKILL, 5)):
        process.send_signal(number)
        try:
            process.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            continue
    return time.monotonic() - began


def check(stage):
    run_text, net_text = step_texts()
    checkout = stage.fresh("checkout")
    stage.action_checkout(checkout)
    slowest = 0.0
    for shell in SHELLS:
        with stage.sim("slow", speed=40) as service:
            work = stage.fresh("work")
            env = runner_environment(service, checkout, work)
            process = start(shell, run_text, env, work)
            service.wait_for_job({"RUNNING"})
            took = cancel(process)
            said = process.stdout.read()
            slowest = max(slowest, took)
            ensure(process.returncode == 130, f"{shell}: exit code {process.returncode} after SIGINT:\n{said}")
            ensure(took < 6, f"{shell}: {took:.1f} s from SIGINT to the end")
            stopped(service, shell)
            outputs = (work / "temp" / "output").read_text()
            ensure("\ncancelled\n" in outputs and "\ninterrupted\n" in outputs, f"{shell}: outputs:\n{outputs}")
            results = json.loads((work / "nunu-results" / "results.json").read_text())
            ensure(results.get("status") == "cancelled", f"{shell}: results.json says {results.get('status')}")
            # The net finds nothing left, and says so with exit code 0.
            code, said = run(SHELLS[shell] + ["-c", net_text], env=env, cwd=work, clean=True)
            ensure(code == 0, f"{shell}: the safety net ended with {code}: {said}")
    killed(stage, checkout, run_text, net_text)
    return f"job stopped and reported {slowest:.1f} s after SIGINT at the latest; after SIGKILL the safety net stopped it"


def killed(stage, checkout, run_text, net_text):
    with stage.sim("slow", speed=40) as service:
        work = stage.fresh("work")
        env = runner_environment(service, checkout, work)
        process = start("sh", run_text, env, work)
        service.wait_for_job({"RUNNING"})
        process.kill()
        process.wait(10)
        process.stdout.close()
        ensure(service.jobs()[0]["status"] == "RUNNING", "a killed program cannot have stopped its job")
        code, said = run([*SHELLS["sh"], "-c", net_text], env=env, cwd=work, clean=True)
        ensure(code == 0, f"the safety net ended with {code}: {said}")
        stopped(service, "safety net")


def stopped(service, who):
    """A stop is accepted at once and done a moment later."""
    job = service.wait_for_job({"COMPLETED"})
    ensure(job.get("stopped_by"), f"{who}: the job ended by itself: {job}")
