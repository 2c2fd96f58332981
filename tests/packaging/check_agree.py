"""action.yml, the component, the README, Cargo.toml and the program's own --help tell the same."""

import re

from stage import ROOT, ensure, run

# Known to the program and not an input: flags that make sense on a command line only.
FLAGS_ONLY = {"token-file", "quiet", "json", "version", "help"}
# Inputs that are no flags: the key must not be in a command line; `file` is the old name of build-path.
INPUTS_ONLY = {"api-token", "file"}


def block(text, name):
    """The names below a top-level key of action.yml."""
    body = re.search(rf"^{name}:\n((?:  .*\n|\n)+)", text, re.MULTILINE).group(1)
    return re.findall(r"^  ([a-z0-9-]+):", body, re.MULTILINE)


def check(stage):
    action = (ROOT / "action.yml").read_text()
    readme = (ROOT / "README.md").read_text()
    documents = readme + "".join(path.read_text() for path in sorted((ROOT / "docs").rglob("*.md")))
    code, said = run([stage.binary, "--help"])
    ensure(code == 0, f"--help ended with {code}")
    flags = set(re.findall(r"^\s+(?:-\w, )?--([a-z0-9-]+)", said, re.MULTILINE)) - FLAGS_ONLY
    inputs = block(action, "inputs")
    ensure(flags == set(inputs) - INPUTS_ONLY, f"inputs and flags differ: {flags ^ (set(inputs) - INPUTS_ONLY)}")
    steps = re.split(r"^    - ", action[action.index("\nruns:"):], flags=re.MULTILINE)[1:]
    ensure(len(steps) == 2, f"action.yml has {len(steps)} steps, not one and its safety net")
    lines = [set(re.findall(r"^        (NUNU_\w+: .*)$", step, re.MULTILINE)) for step in steps]
    for name in set(inputs) - {"api-url"}:
        variable = "NUNU_" + name.upper().replace("-", "_")
        ensure(any(re.fullmatch(rf"{variable}: \$\{{\{{ inputs\.{name} \|\| .*env\.{variable}\b.* \}}\}}", line) for line in lines[0]),
               f"the input {name} does not reach the program as {variable}")
    # Who may decide: the address comes from the input alone, whatever the environment holds.
    for line in ("NUNU_ACTION: composite", "NUNU_API_URL: ${{ inputs.api-url }}", "NUNU_BASE_URL: ''"):
        ensure(all(line in step for step in lines), f"a step of action.yml has no {line}")
    ensure(lines[1] < lines[0], f"the safety net has an environment of its own: {lines[1] - lines[0]}")
    ensure(not re.search(r"^\s+default:", action, re.MULTILINE), "action.yml sets a default that the run config could not change")
    outputs = block(action, "outputs")
    for name in outputs:
        ensure(f"${{{{ steps.nunu.outputs.{name} }}}}" in action, f"output {name} is not wired")
    # Outputs are those that the program writes.
    written = outputs_of_the_program(stage)
    ensure(written <= set(outputs), f"outputs that action.yml does not have: {written - set(outputs)}")
    for name in (*inputs, *outputs):
        ensure(f"`{name}`" in documents, f"neither the README nor docs mention `{name}`")
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
    code, said = run([stage.binary, "--version"])
    ensure(said.strip() == f"nunu-ci {version}", f"the program calls itself {said.strip()}, Cargo.toml says {version}")
    for path in ("docs/cookbook/gitlab.md", "docs/cookbook/jenkins.md", "docs/cookbook/hosts.md", "templates/nunu-run.yml", "examples/Jenkinsfile"):
        images = set(re.findall(r"ghcr\.io/OWNER/nunu-ci:([\w.-]+)", (ROOT / path).read_text()))
        ensure(images <= {version, f"{version}-scratch"}, f"{path} names the image {images}, the version is {version}")
    ensure(f"OWNER/nunu-ci@v{version.split('.', maxsplit=1)[0]}" in readme, "the README uses another major version")
    return f"{len(inputs)} inputs, {len(outputs)} outputs, version {version}"


def outputs_of_the_program(stage):
    """All names of a green run on GitHub."""
    from check_signals import runner_environment

    checkout = stage.fresh("checkout")
    stage.action_checkout(checkout)
    with stage.sim("passed", speed=20) as service:
        work = stage.fresh("work")
        env = runner_environment(service, checkout, work)
        code, said = run([stage.binary], env=env, cwd=work, clean=True)
        ensure(code == 0, f"a green run ended with {code}:\n{said[-2000:]}")
        return set(re.findall(r"^([a-z0-9-]+)<<ghadelimiter_", (work / "temp" / "output").read_text(), re.MULTILINE))
