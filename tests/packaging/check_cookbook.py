"""Every YAML block of the README and the docs is valid for the host it is for; every console line names a command of the program."""

import re

from stage import ROOT, ensure, run

from check_starter import unpinned

# Whose schema a block has, by a line of it. The first that fits counts.
HOSTS = [
    ("bitrise", "format_version:"),
    ("circle-ci", "version: 2.1"),
    ("bitbucket-pipelines", "pipelines:\n"),
    ("azure-pipelines", "pool:\n"),
    ("buildkite", "steps:\n  - label:"),
    ("run config", "version: 1\n"),
    ("github-workflows", "runs-on:"),
    ("gitlab-ci", "script:"),
    ("gitlab-ci", "include:\n"),
]
# What check-jsonschema brings the schema of.
SCHEMAS = {"bitbucket-pipelines", "azure-pipelines", "buildkite", "circle-ci", "github-workflows", "gitlab-ci"}


def blocks(path, kind):
    """The blocks of that kind, with their lines."""
    text = path.read_text()
    for found in re.finditer(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield text[: found.start()].count("\n") + 2, found.group(1)


def host_of(text):
    return next((host for host, words in HOSTS if words in text), None)


def check(stage):
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    folder, of_host, fragments = stage.fresh("cookbook"), {}, 0
    for page in pages:
        for line, text in blocks(page, "ya?ml"):
            host = host_of(text)
            if host is None:
                # A few keys that stand in a text: they have to be YAML of some kind at least.
                fragments += 1
                continue
            name = f"{page.stem}-{line}.yml"
            if host == "github-workflows" and "\njobs:\n" in f"\n{text}" and "\non:" not in f"\n{text}":
                text = f"on: [push]\npermissions:\n  contents: read\n{text}"
            path = folder / name
            path.write_text(text)
            of_host.setdefault(host, []).append(path)
    missing = {host for host, _ in HOSTS} - set(of_host)
    ensure(not missing, f"no block for {missing}")
    counts = []
    for host, paths in sorted(of_host.items()):
        if host == "run config":
            schema = ["--schemafile", ROOT / "docs" / "nunu-ci.schema.json"]
        elif host in SCHEMAS:
            schema = ["--builtin-schema", f"vendor.{host}"]
        else:
            # Bitrise publishes none: that it is YAML with steps is all that can be told.
            (folder / "any.json").write_text('{"type": "object", "required": ["format_version", "workflows"]}')
            schema = ["--schemafile", folder / "any.json"]
        code, said = run([stage.tool("check-jsonschema"), *schema, *paths])
        ensure(code == 0, f"{host}:\n{said[-4000:]}")
        counts.append(f"{len(paths)} {host}")
    workflows = of_host["github-workflows"]
    for command in (
        [stage.tool("actionlint"), *workflows],
        [stage.tool("zizmor"), "--offline", "--no-progress", "--min-severity", "high", "--config", unpinned(stage), *workflows],
    ):
        code, said = run(command)
        ensure(code == 0, f"{str(command[0]).rsplit('/', 1)[-1]}:\n{said[-4000:]}")
    commands = known_commands(stage, pages)
    return f"{', '.join(counts)}, {fragments} fragments, {commands} commands"


def known_commands(stage, pages):
    """Each `nunu-ci WORD --FLAG` in a block is known to the program."""
    seen = 0
    # What the program says itself is checked where that page is made.
    for page in (page for page in pages if page.name != "errors.md"):
        for kind in ("sh", "console"):
            for line, text in blocks(page, kind):
                for words in re.findall(r"(?:^|[\s$])nunu-ci ([a-z][a-z-]*)((?: [^\n]*)?)", text):
                    code, said = run([stage.binary, "help", words[0]])
                    ensure(code == 0, f"{page.name}:{line} names the command {words[0]}:\n{said}")
                    for flag in re.findall(r" (--[a-z-]+)", words[1].split("#")[0]):
                        ensure(flag in said, f"{page.name}:{line} names {flag}, which nunu-ci {words[0]} does not know")
                    seen += 1
    return seen
