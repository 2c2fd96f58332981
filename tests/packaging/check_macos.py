"""The macOS programs, as files: nothing here can start them. What a loader would look at first is looked at."""

import hashlib
import struct

import foreign
from stage import ensure

# Kinds of load commands (mach-o/loader.h).
SEGMENT, LOAD_DYLIB, SIGNATURE, VERSION_MIN, BUILD_VERSION, MAIN, UUID = 0x19, 0xC, 0x1D, 0x24, 0x32, 0x80000028, 0x1B
PROCESSORS = {"macos-x64": 0x01000007, "macos-arm64": 0x0100000C}
OLDEST = {"macos-x64": (10, 13), "macos-arm64": (11, 0)}
# Every Mac has them; nothing else may be needed.
LIBRARIES = {
    "/usr/lib/libSystem.B.dylib", "/usr/lib/libiconv.2.dylib", "/System/Library/Frameworks/Security.framework/Versions/A/Security",
    "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
}


def commands(data):
    """Kind and bytes of every load command."""
    count, at = struct.unpack_from("<I", data, 16)[0], 32
    for _ in range(count):
        kind, size = struct.unpack_from("<II", data, at)
        yield kind, data[at:at + size]
        at += size


def text(data, at):
    return data[at:data.index(b"\0", at)].decode()


def pages(data, command):
    """Compares every page with its hash in the ad-hoc signature; gives their number."""
    offset, size = struct.unpack_from("<II", command, 8)
    ensure(offset + size == len(data), "the signature does not end the file")
    blob = data[offset:offset + size]
    magic, _, count = struct.unpack_from(">III", blob, 0)
    ensure(magic == 0xFADE0CC0 and count >= 1, "there is no embedded signature")
    directory = blob[struct.unpack_from(">I", blob, 16)[0]:]
    magic, _, _, flags, hashes, _, _, slots, limit, length, kind, _, shift = struct.unpack_from(">9I4B", directory, 0)
    ensure(magic == 0xFADE0C02 and flags & 2, "the signature is not ad hoc")
    ensure(limit == offset and (length, kind) == (32, 2), f"the signature covers {limit} of {offset} bytes, kind of hash {kind}")
    page = 1 << shift
    ensure(slots == -(-limit // page), f"{slots} hashes for {limit} bytes")
    for slot in range(slots):
        found = hashlib.sha256(data[slot * page:min((slot + 1) * page, limit)]).digest()
        ensure(found == directory[hashes + slot * 32:hashes + slot * 32 + 32], f"page {slot} is not the one that was signed")
    return slots


def look(name):
    program = foreign.program(name)
    data = program.read_bytes()
    magic, processor, _, kind = struct.unpack_from("<4I", data, 0)
    ensure((magic, processor, kind) == (0xFEEDFACF, PROCESSORS[name], 2), f"{name} is no program for its processor")
    found = list(commands(data))
    kinds = [kind for kind, _ in found]
    ensure(MAIN in kinds and UUID in kinds and kinds.count(SIGNATURE) == 1, f"{name} has no entry, no UUID or no signature")
    oldest = None
    for kind, command in found:
        if kind == VERSION_MIN:
            oldest = struct.unpack_from("<I", command, 8)[0]
        if kind == BUILD_VERSION:
            platform, oldest = struct.unpack_from("<II", command, 8)
            ensure(platform == 1, f"{name} is for platform {platform}, not macOS")
    oldest = oldest and (oldest >> 16, oldest >> 8 & 0xFF)
    ensure(oldest == OLDEST[name], f"{name} needs macOS {oldest}, not {OLDEST[name]}")
    libraries = {text(command, struct.unpack_from("<I", command, 8)[0]) for kind, command in found if kind == LOAD_DYLIB}
    ensure(libraries <= LIBRARIES, f"{name} needs {libraries - LIBRARIES}")
    for kind, command in found:
        if kind == SEGMENT:
            offset, size = struct.unpack_from("<QQ", command, 40)
            ensure(offset + size <= len(data), f"{name} has a segment beyond its end")
    signed = pages(data, next(command for kind, command in found if kind == SIGNATURE))
    return f"{program.name}: macOS {oldest[0]}.{oldest[1]}, {len(libraries)} libraries, {signed} signed pages"


def check(_):
    return "; ".join(look(name) for name in PROCESSORS) + "; never started"
