"""`report.html` in a real browser: Chromium, axe and an HTML validator look at the page of every report of the unit tests."""

import json
import os
import shutil

from stage import ROOT, Skipped, ensure, run

NODE_MODULES = ["playwright-core@1.56.1", "axe-core@4.11.0", "html-validate@10.4.0"]


def check(stage):
    pages = stage.binary.parent / "pages"
    if not pages.is_dir():
        raise Skipped("the unit tests have left no pages; run cargo test --lib pages_are_there_to_be_opened")
    stage.debian({"chromium": "chromium"})
    if not shutil.which("npm") or not shutil.which("node"):
        raise Skipped("npm is not installed")
    modules = ROOT / "target" / "page-tools"
    if not (modules / "node_modules").is_dir():
        modules.mkdir(parents=True, exist_ok=True)
        code, said = run(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", modules, *NODE_MODULES], timeout=600)
        if code != 0:
            raise Skipped(f"npm has no {', '.join(NODE_MODULES)}: {said.strip()[-200:]}")
    # NUNU_PAGE_IMAGES: a folder for the pictures of the documentation.
    images = os.environ.get("NUNU_PAGE_IMAGES", "")
    env = {**os.environ, "CHROMIUM": shutil.which("chromium")}
    code, said = run(["node", ROOT / "tests" / "packaging" / "page.mjs", modules, pages, images], env=env, timeout=600)
    ensure(code == 0, f"the browser did not come to an end: {said[-2000:]}")
    seen = json.loads(said.strip().splitlines()[-1])
    ensure(not seen["wrong"], "\n  ".join(seen["wrong"][:40]))
    return f"{seen['pages']} pages, light, dark and on a phone: no request, no error, nothing too wide, axe and html-validate are content"
