"""What `nunu-ci init` writes for each kind of project passes the validators of its host."""

import os
import re

from stage import ensure, run

# One folder a kind of project, and what its CI has to say to build it.
PROJECTS = {
    "unity": ({"ProjectSettings/ProjectVersion.txt": "m_EditorVersion: 6000.0.23f1\n"}, "game-ci/unity-builder", "unity-editor"),
    "unreal": ({"Game.uproject": '{"EngineAssociation": "5.5"}'}, "RunUAT.bat", "RunUAT.bat"),
    "godot": ({"game/project.godot": 'config/features=PackedStringArray("4.3")\n'}, "barichello/godot-ci:4.3", "--export-release"),
    "gradle": ({"gradlew": "#!/bin/sh\n"}, "assembleRelease", "assembleRelease"),
    "xcode": ({"Game.xcodeproj/project.pbxproj": ""}, "xcodebuild", "xcodebuild"),
    "fastlane": ({"fastlane/Fastfile": "lane :build do\nend\n"}, "fastlane build", "fastlane build"),
    "unknown": ({"src/main.c": "", "app.apk": "x"}, "Your build goes here", ""),
}
WORKFLOWS = {"github": ".github/workflows/nunu.yml", "gitlab": ".nunu/gitlab-ci.yml", "jenkins": ".nunu/Jenkinsfile"}


def written(stage, name, host):
    """The path of the workflow that is written for that project."""
    files, on_github, elsewhere = PROJECTS[name]
    folder = stage.fresh(f"{name}-{host}")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    code, said = run([stage.binary, "init", "--host", host], cwd=folder, env={"PATH": os.environ["PATH"]}, clean=True)
    ensure(code == 0, f"init for {name} on {host} ended with {code}:\n{said}")
    path = folder / WORKFLOWS[host]
    text = path.read_text()
    words = on_github if host == "github" else elsewhere
    ensure(words in text, f"{WORKFLOWS[host]} for {name} does not build it: no {words} in\n{text}")
    for part in {"github": ["concurrency:", "timeout-minutes:", "permissions:"], "gitlab": ["timeout:"], "jenkins": ["timeout("]}[host]:
        ensure(part in text, f"{WORKFLOWS[host]} for {name} has no {part}")
    return path


def check(stage):
    schema = [stage.tool("check-jsonschema"), "--builtin-schema"]
    github = [written(stage, name, "github") for name in PROJECTS]
    gitlab = [written(stage, name, "gitlab") for name in PROJECTS]
    jenkins = [written(stage, name, "jenkins") for name in PROJECTS]
    for command in (
        [*schema, "vendor.github-workflows", *github],
        [*schema, "vendor.gitlab-ci", *gitlab],
        [stage.tool("actionlint"), *github],
        # Tags stand in place of commits here: a starter is read by people, and Dependabot pins it.
        [stage.tool("zizmor"), "--offline", "--no-progress", "--min-severity", "medium", "--config", unpinned(stage), *github],
    ):
        code, said = run(command)
        ensure(code == 0, f"{str(command[0]).rsplit('/', 1)[-1]}:\n{said[-4000:]}")
    for path in jenkins:
        text = path.read_text()
        for opening, closing in ("{}", "()"):
            ensure(text.count(opening) == text.count(closing), f"{path} is not balanced:\n{text}")
        ensure(len(re.findall("'''", text)) % 2 == 0, f"{path} has an open string:\n{text}")
    return f"{len(github) + len(gitlab) + len(jenkins)} workflows of {len(PROJECTS)} kinds of project"


def unpinned(stage):
    """zizmor without its rule on pins."""
    path = stage.fresh("zizmor") / "zizmor.yml"
    path.write_text("rules:\n  unpinned-uses:\n    disable: true\n")
    return path
