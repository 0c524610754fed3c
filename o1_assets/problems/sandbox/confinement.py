"""The second layer around the interpreter: what its process may still ask the operating system for.

    python -I -S confinement.py BINARY ARGUMENTS...

gives up rights for good and becomes BINARY. Nothing here needs root, a daemon or a package: resource limits; Landlock,
after which only the binary and the system's libraries can be read or executed, nothing can be written and no TCP
connection made; and a seccomp filter without sockets, new processes, signals and tracing. A kernel that lacks one of
the three (macOS has resource limits alone) gives the others; `confine` returns those in force.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import sys

MEMORY = 2**30
"""Bytes of address space, of which the interpreter needs a fifth."""

CPU_SECONDS = 600
"""Of one worker, which runs thousands of programs. A single program is stopped by the interpreter long before."""

_READ_FILE, _READ_DIR, _EXECUTE = 1 << 2, 1 << 3, 1 << 0
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")

_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 38, 22

# Numbers of the system calls in <asm/unistd.h>, by machine: architecture in <linux/audit.h>, clone, refused ones.
# Refused are sockets; fork; kill, ptrace, pidfd and reading of other processes' memory; mounts and namespaces;
# keys, bpf, perf, userfaultfd and io_uring.
_SYSTEM_CALLS = {
    "x86_64": (
        0xC000003E,
        56,
        (41, 42, 43, 49, 50, 53, 288, 57, 58, 62, 101, 310, 311, 424, 434, 438, 155, 161, 165, 166, 272, 308,
         248, 249, 250, 298, 321, 323, 425),
    ),
    "aarch64": (
        0xC00000B7,
        220,
        (198, 199, 200, 201, 202, 203, 242, 117, 129, 270, 271, 424, 434, 438, 39, 40, 41, 51, 97, 268,
         217, 218, 219, 241, 280, 282, 425),
    ),
}  # fmt: skip
_CLONE3 = 435
_CLONE_THREAD = 0x10000


def main(arguments: list[str]) -> None:
    confine(arguments[0])
    os.execv(arguments[0], arguments)


def confine(binary: str) -> list[str]:
    """Give up rights in this process and all that follow from it. Returns the layers in force."""
    layers = ["resource limits"] if _limit_resources() else []
    if sys.platform != "linux":
        return layers
    libc = ctypes.CDLL(None, use_errno=True)
    # Without it, neither Landlock nor seccomp is given to a process that is not root's.
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return layers
    if _restrict_files(libc, binary):
        layers.append("landlock")
    if _filter_system_calls(libc):
        layers.append("seccomp")
    return layers


def _limit_resources() -> bool:
    limits = {
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_AS: MEMORY,
    }
    for limit, value in limits.items():
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):  # macOS has no limit of the address space
            if limit != resource.RLIMIT_AS:
                return False
    return True


def _restrict_files(libc: ctypes.CDLL, binary: str) -> bool:
    """Landlock (Documentation/userspace-api/landlock.rst of the kernel), as far as this kernel's version goes."""
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    # Every right over files that the version knows: 13 at first, then moving, truncating, device control.
    rights = 13 + sum(version >= since for since in (2, 3, 5))
    # Then TCP (version 4), then signals and abstract sockets outside (version 6): a longer structure each time.
    fields = [(1 << rights) - 1, *([0b11] if version >= 4 else []), *([0b11] if version >= 6 else [])]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    rules = libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return False
    for path in (binary, *_LIBRARIES):
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = _READ_FILE | _EXECUTE | (_READ_DIR if os.path.isdir(path) else 0)
        rule = struct.pack("=Qi", allowed, place)
        if libc.syscall(_LANDLOCK_ADD_RULE, rules, 1, rule, 0) != 0:
            return False
        os.close(place)
    restricted = libc.syscall(_LANDLOCK_RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return restricted


def _filter_system_calls(libc: ctypes.CDLL) -> bool:
    """A filter in classic BPF over struct seccomp_data: number at 0, architecture at 4, arguments from 16 on."""
    machine = os.uname().machine
    if machine not in _SYSTEM_CALLS or sys.byteorder != "little":
        return False
    architecture, clone, refused = _SYSTEM_CALLS[machine]
    load, equal, at_least, any_bit, end = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, unknown, kill = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (end, 0, 0, kill),
        (load, 0, 0, 0),
        # x32 calls have numbers of their own on x86_64.
        (at_least, 0, 1, 0x40000000),
        (end, 0, 0, refuse),
        # clone3 has its flags in memory, where no filter looks; libc then takes clone.
        (equal, 0, 1, _CLONE3),
        (end, 0, 0, unknown),
        # A thread may be made, a process not.
        (equal, 0, 3, clone),
        (load, 0, 0, 16),
        (any_bit, 1, 0, _CLONE_THREAD),
        (end, 0, 0, refuse),
        (load, 0, 0, 0),
    ]
    for number in refused:
        program += [(equal, 0, 1, number), (end, 0, 0, refuse)]
    program.append((end, 0, 0, allow))
    code = ctypes.create_string_buffer(
        b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    )
    filter_program = struct.pack("@HP", len(program), ctypes.addressof(code))
    return bool(libc.prctl(_PR_SET_SECCOMP, 2, filter_program, 0, 0) == 0)


if __name__ == "__main__":
    main(sys.argv[1:])
