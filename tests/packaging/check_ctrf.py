"""ctrf.json of every kind of end is what the reference implementation of the format takes, at its strictest."""

import json

from stage import ensure, run

SCENARIOS = ["passed", "failed", "flaky", "bugs", "error", "stopped"]
VALIDATE = """
const { validateStrict } = require("ctrf");
for (const file of process.argv.slice(1)) validateStrict(JSON.parse(require("fs").readFileSync(file, "utf8")));
"""


def ctrf_of(stage, name, command, env):
    """Runs a command in a folder of its own; gives the file that it left."""
    folder = stage.fresh(f"ctrf-{name}")
    _, said = run([stage.binary, *command], cwd=folder, env={**env, "CI": "true"})
    file = folder / "nunu-results" / "ctrf.json"
    ensure(file.exists(), f"{name} left no ctrf.json: {said[-2000:]}")
    return file


def check(stage):
    files = []
    for scenario in SCENARIOS:
        with stage.sim(scenario, speed=20) as service:
            quick = ["run", "--test-id", service.ids["test"], "--deployment-config-id", service.ids["device"]]
            files.append(ctrf_of(stage, scenario, [*quick, "--artifacts", "all"], service.variables))
    files.append(ctrf_of(stage, "report", ["report", files[1].with_name("results.json")], {}))
    files.append(ctrf_of(stage, "early", ["run", "--build-path", "nothing.apk"], {}))
    tests = [json.loads(file.read_text())["results"]["summary"]["tests"] for file in files]
    ensure(all(tests), f"a file without a test: {tests}")
    env = {"NODE_PATH": str(stage.tools / "lib" / "node_modules")}
    code, said = run([stage.tool("node"), "-e", VALIDATE, *files], env=env)
    ensure(code == 0, f"ctrf says: {said[-2000:]}")
    return f"{len(files)} files"
