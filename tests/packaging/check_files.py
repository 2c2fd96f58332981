"""Every packaging file passes the validators of its kind, zizmor at its strictest."""

import re

from stage import ROOT, ensure, run


def component_as_pipeline(folder):
    """The job of the GitLab component, with its inputs filled in: the schema knows no `$[[ inputs ]]`."""
    text = (ROOT / "templates" / "nunu-run.yml").read_text()
    header, job = text.split("\n---\n")
    names = re.findall(r"^    ([a-z-]+):$", header, re.MULTILINE)
    used = set(re.findall(r"\$\[\[ inputs\.([a-z-]+) \]\]", job))
    ensure(set(names) == used, f"inputs of the component and their uses differ: {set(names) ^ used}")
    path = folder / "component.yml"
    path.write_text(re.sub(r"\$\[\[ inputs\.([a-z-]+) \]\]", r"\1", job))
    return path


def check(stage):
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    examples = [ROOT / "examples" / name for name in ("github-workflow.yml", "github-matrix.yml")]
    schema = [stage.tool("check-jsonschema"), "--builtin-schema"]
    scripts = sorted([*(ROOT / "dist").glob("*.sh")])
    commands = [
        [*schema, "vendor.github-actions", ROOT / "action.yml"],
        [*schema, "vendor.github-workflows", *workflows, *examples],
        [*schema, "vendor.dependabot", ROOT / ".github" / "dependabot.yml"],
        [*schema, "vendor.gitlab-ci", component_as_pipeline(stage.fresh("component")),
         ROOT / "examples" / "gitlab-ci.yml"],
        [stage.tool("zizmor"), "--offline", "--no-progress", "--persona", "pedantic", ROOT, *examples],
        [stage.tool("hadolint"), ROOT / "Dockerfile"],
        [stage.tool("actionlint"), *workflows, *examples],
        # Advisories need a database from the network; the CI workflow asks for them.
        [stage.tool("cargo-deny"), "--locked", "--offline", "check", "--deny", "warnings", "licenses", "bans", "sources"],
    ]
    stage.debian({"shellcheck": "shellcheck"})
    commands.append(["shellcheck", *scripts])
    # A build downloads what its own system needs; cargo-deny looks at every system.
    run(["cargo", "fetch", "--locked"], cwd=ROOT)
    for command in commands:
        code, said = run(command, cwd=ROOT)
        ensure(code == 0, f"{str(command[0]).rsplit('/', 1)[-1]}:\n{said[-4000:]}")
    # Everything from elsewhere is pinned by commit.
    uses = [line for path in (*workflows, *examples) for line in re.findall(r"uses: (\S+)", path.read_text())]
    loose = [use for use in uses if not re.fullmatch(r"\./|OWNER/nunu-ci@v\d+|[\w.-]+/[\w.-]+@[0-9a-f]{40}", use)]
    ensure(not loose, f"actions that are not pinned by commit: {loose}")
    # Nothing of an expression is pasted into a script.
    for path in (ROOT / "action.yml", *workflows):
        for script in re.findall(r"^( *)(?:- )?run: ([|>].*\n(?:\1  .*\n|\n)+|.*)", path.read_text(), re.MULTILINE):
            # The one exception chooses between two constants by the system of the runner.
            words = re.sub(r"'[^']*'", "", " ".join(re.findall(r"\$\{\{(.*?)\}\}", script[1], re.DOTALL)))
            ensure(words.split() in ([], ["runner.os", "==", "&&", "||"]),
                   f"{path.name} pastes an expression into a script: {script[1]}")
    ensure(len((ROOT / "dist" / "launch.sh").read_text().splitlines()) < 80, "dist/launch.sh has 80 lines or more")
    return f"{len(commands)} validators, {len(uses)} pinned actions"
