"""From the start of the launcher to the program's first line, measured beside what other kinds of actions take."""

import json
import os
import shutil

from stage import ensure, run


def check(stage):
    stage.debian({"hyperfine": "hyperfine"})
    checkout = stage.fresh("checkout")
    binary = stage.static_binary()
    stage.binary = binary
    bundled = stage.action_checkout(checkout)
    report = checkout / "times.json"
    commands = [f"sh -eu -c 'exec {checkout}/dist/launch.sh --version'"]
    node = shutil.which("node")
    if node:
        # The least that an action in JavaScript does before its first own line.
        commands.append(f"{node} -e 'console.log(1)'")
    # The least that a downloading action does at 100 Mbit/s, without the latency of the network.
    seconds = os.path.getsize(bundled) * 8 / 100e6
    code, said = run(["hyperfine", "--shell=none", "--warmup=3", "--runs=30", "--style=basic", f"--export-json={report}", *commands])
    ensure(code == 0, f"hyperfine: {said[-1000:]}")
    times = [entry["median"] for entry in json.loads(report.read_text())["results"]]
    # A measurement, no verdict: how long it takes says as much about the machine as about us.
    beside = f"; node alone {times[1] * 1000:.0f} ms" if node else ""
    return f"first line after {times[0] * 1000:.0f} ms (median of 30, digest check included){beside}; a download at 100 Mbit/s {seconds * 1000:.0f} ms"
