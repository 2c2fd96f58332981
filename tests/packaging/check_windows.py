"""The Windows program, under Wine: verdicts, Ctrl-C in a terminal, a hard kill, TLS with a file and with the Windows store."""

import hashlib
import os
import pathlib
import ssl
import subprocess

import foreign
from stage import Skipped, ensure, run

WINE = "/usr/lib/wine/wine64"
# Rust's standard library asks a library of Windows 7 and later for random bytes; Wine has it since version 9.
PRNG = """#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
"""
STORE = r"HKCU\Software\Microsoft\SystemCertificates\Root\Certificates"


def wine(stage):
    """An empty Windows: its variables."""
    stage.debian({WINE: "wine64"})
    prefix = stage.folder / "windows"
    env = {"PATH": os.environ["PATH"], "WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "LC_ALL": "C.UTF-8",
           "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe="}
    code, said = run([WINE, "wineboot", "--init"], env=env, clean=True, timeout=180)
    system = prefix / "drive_c" / "windows" / "system32"
    ensure(code == 0 and system.is_dir(), f"Wine does not start: {said}")
    if not (system / "bcryptprimitives.dll").exists():
        stage.debian({"x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64"})
        source = stage.folder / "prng.c"
        source.write_text(PRNG)
        subprocess.run(["x86_64-w64-mingw32-gcc", "-shared", "-o", system / "bcryptprimitives.dll", source, "-ladvapi32"], check=True)
    return env


def trust(env):
    """Puts the authority of the tests into the store of Windows, as the registry keeps it: properties with kind, 1, length, bytes."""
    der = ssl.PEM_cert_to_DER_cert((foreign.TLS / "ca.pem").read_text())
    digest = hashlib.sha1(der).digest()
    blob = b"".join(kind.to_bytes(4, "little") + (1).to_bytes(4, "little") + len(data).to_bytes(4, "little") + data
                    for kind, data in ((3, digest), (32, der)))
    words = ["reg", "add", STORE + "\\" + digest.hex().upper(), "/v", "Blob", "/t", "REG_BINARY", "/d", blob.hex(), "/f"]
    code, said = run([WINE, *words], env=env, clean=True)
    ensure(code == 0, f"the store of Windows takes no certificate: {said}")
    return {}


def check(stage):
    if os.uname().machine != "x86_64":
        raise Skipped(f"the programs of other systems are run on Linux x64, this is {os.uname().machine}")
    program = foreign.program("windows-x64")
    env = wine(stage)
    guest = foreign.Guest(stage, [WINE, program], env, lambda path: "Z:" + str(path).replace("/", "\\"))
    where = ("Windows", "X64")
    try:
        artifacts = foreign.both_verdicts(guest, *where)
        said = foreign.cancelled(guest, *where, foreign.Pty, lambda started: started.type(b"\x03"), 130)
        ensure("interrupted by Ctrl-C" in said, f"words for Windows:\n{said[-2000:]}")
        foreign.killed(guest, *where, foreign.Piped)
        pathlib.Path(stage.folder / "ca.pem").write_bytes((foreign.TLS / "ca.pem").read_bytes())
        foreign.over_tls(guest, *where, lambda _: {"SSL_CERT_FILE": guest.path(stage.folder / "ca.pem")})
        foreign.over_tls(guest, *where, lambda _: trust(env))
    finally:
        subprocess.run(["/usr/lib/wine/wineserver", "-k"], env=env, check=False)
    return f"{program.name}: green, red ({artifacts} artifacts), Ctrl-C, hard kill and safety net, TLS by file and by the Windows store"
