"""Maps of the XDP program, read by this process: who owns the slots of a service's
ring, and counters, without asking the daemon (bpf/contract.h has the layouts)."""
import ctypes
import ipaddress
import mmap
import os
import platform
import struct

import e2e

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
LOOKUP, OBJ_GET, FD_BY_ID = 1, 7, 14
CPUS_MOST = 1024
RING_SLOTS, BACKENDS, BACKEND_SIZE = 65537, 4096, 64


def bpf(command, attributes):
    attr = ctypes.create_string_buffer(attributes, 128)
    n = e2e.libc.syscall(SYS_BPF, command, attr, len(attr))
    if n < 0:
        raise OSError(ctypes.get_errno(), f"bpf {command}")
    return n


def mapped(fd, size):
    page = mmap.PAGESIZE
    try:
        return mmap.mmap(fd, (size + page - 1) // page * page, mmap.MAP_SHARED, mmap.PROT_READ)
    finally:
        os.close(fd)


def per_cpu_sum(map_id, key, size, at):
    """Of a per-CPU map with values of that size: the sum of a u64 at that place."""
    key, value = ctypes.c_uint32(key), ctypes.create_string_buffer(CPUS_MOST * size)
    fd = bpf(FD_BY_ID, struct.pack("=III", map_id, 0, 0))
    try:
        bpf(LOOKUP, struct.pack("=IIQQQ", fd, 0, ctypes.addressof(key),
                                ctypes.addressof(value), 0))
    finally:
        os.close(fd)
    return sum(struct.unpack_from("=Q", value, n * size + at)[0] for n in range(CPUS_MOST))


class Ring:
    """That of one service, by its slot (/v1/services)."""

    def __init__(self, pin, slot):
        self.backends = mapped(self.pinned(pin, "gg_backend"), BACKENDS * BACKEND_SIZE)
        outer = self.pinned(pin, "gg_ring")
        key, value = ctypes.c_uint32(slot), ctypes.c_uint32()
        try:
            bpf(LOOKUP, struct.pack("=IIQQQ", outer, 0, ctypes.addressof(key),
                                    ctypes.addressof(value), 0))
        finally:
            os.close(outer)
        self.slots = mapped(bpf(FD_BY_ID, struct.pack("=III", value.value, 0, 0)), RING_SLOTS * 8)

    @staticmethod
    def pinned(pin, name):
        path = ctypes.create_string_buffer(f"{pin}/maps/{name}".encode())
        return bpf(OBJ_GET, struct.pack("=QII", ctypes.addressof(path), 0, 0))

    def address(self, index):
        """"ip:port" of a backend."""
        at = index * BACKEND_SIZE
        ip = ipaddress.IPv6Address(self.backends[at:at + 16])
        port = struct.unpack_from("!H", self.backends, at + 32)[0]
        return f"{ip.ipv4_mapped}:{port}" if ip.ipv4_mapped else f"[{ip}]:{port}"

    def owner(self, number=0):
        """Of one slot of the ring: who gets a new connection that falls there."""
        index = struct.unpack_from("=H", self.slots, number * 8)[0]
        return self.address(index) if index else None

    def owners(self):
        with memoryview(self.slots)[:RING_SLOTS * 8] as view, view.cast("H") as words:
            with words[::4] as current:
                found = set(current.tolist())
        return {self.address(i) for i in found if i}

    def close(self):
        self.slots.close()
        self.backends.close()
