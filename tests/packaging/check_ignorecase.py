"""The unit tests on a disk that ignores case in names, below a link: as a macOS runner has it."""

import json
import os
import pathlib
import re
import subprocess
import time

from stage import ROOT, Skipped, ensure, run

# The mirror keeps a file that was removed while open under another name until it is closed.
NOT_THERE = ["--skip", "leaves_no_name_behind"]


def unit_tests():
    """The program that `cargo test` made of the library."""
    done = subprocess.run(["cargo", "test", "--quiet", "--locked", "-p", "nunu-ci", "--lib", "--no-run", "--message-format=json"],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    ensure(done.returncode == 0, f"the unit tests do not compile:\n{done.stderr[-2000:]}")
    return next(message["executable"] for message in map(json.loads, done.stdout.splitlines()) if message.get("executable"))


def check(stage):
    if os.geteuid() != 0 or not pathlib.Path("/dev/fuse").exists():
        raise Skipped("a disk that ignores case needs root and /dev/fuse")
    stage.debian({f"/usr/lib/{os.uname().machine}-linux-gnu/libfuse.so.2": "libfuse2"})
    python = pathlib.Path(stage.tool("zizmor")).parent / "python"
    folder, mount = stage.fresh("mirrored"), stage.fresh("mount")
    link = stage.folder / "link"
    link.symlink_to(mount)
    mirror = subprocess.Popen([python, pathlib.Path(__file__).with_name("ignorecase.py"), folder, mount], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    try:
        for _ in range(300):
            if mount.is_mount() or mirror.poll() is not None:
                break
            time.sleep(0.1)
        if not mount.is_mount():
            raise Skipped(f"no folder can be mounted here: {mirror.communicate()[0].decode()[-300:] if mirror.poll() is not None else ''}")
        (mount / "Name").touch()
        ensure((mount / "nAME").exists(), "the mount does not ignore case")
        code, said = run([unit_tests(), "--test-threads", "4", *NOT_THERE], env={"TMPDIR": str(link)}, cwd=ROOT, timeout=300)
        ensure(code == 0, said[said.rfind("\nfailures:"):][-3000:] or said[-3000:])
        passed = re.search(r"(\d+) passed", said).group(1)
        return f"{passed} unit tests below a link to a folder that ignores case"
    finally:
        run(["umount", "--lazy", mount])
        mirror.wait(30)

