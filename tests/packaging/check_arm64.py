"""The Linux arm64 program, under qemu: verdicts, signals, a hard kill, TLS."""

import os
import signal

import foreign
from stage import Skipped


def check(stage):
    if os.uname().machine != "x86_64":
        raise Skipped(f"the programs of other systems are run on Linux x64, this is {os.uname().machine}")
    program = foreign.program("linux-arm64")
    stage.debian({"qemu-aarch64-static": "qemu-user-static"})
    guest = foreign.Guest(stage, ["qemu-aarch64-static", program])
    where = ("Linux", "ARM64")
    artifacts = foreign.both_verdicts(guest, *where)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        foreign.cancelled(guest, *where, foreign.Piped, lambda started, number=number: started.process.send_signal(number), code)
    foreign.killed(guest, *where, foreign.Piped)
    foreign.over_tls(guest, *where, lambda _: {"SSL_CERT_FILE": str(foreign.TLS / "ca.pem")})
    return f"{program.name}: green, red ({artifacts} artifacts), SIGINT, SIGTERM, hard kill and safety net, TLS"
