"""Frames of application/vnd.amazon.eventstream, written by the tests themselves."""
import json
import random
import struct
import zlib

NULS = b"\0" * 8  # between the head of an answer and its body


def frame(payload, **headers):
    """headers: message_type="event" and so on, all strings."""
    packed = b""
    for name, value in headers.items():
        name, value = b":" + name.replace("_", "-").encode(), value.encode()
        packed += bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
    total = 12 + len(packed) + len(payload) + 4
    prelude = struct.pack(">II", total, len(packed))
    data = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return data + struct.pack(">I", zlib.crc32(data))


def chunk(payload):
    return frame(payload, message_type="event", event_type="PayloadChunk",
                 content_type="application/octet-stream")


def complete(error=None, details=None, log=None):
    said = {k: v for k, v in (("ErrorCode", error), ("ErrorDetails", details),
                              ("LogResult", log)) if v}
    return frame(json.dumps(said).encode(), message_type="event", event_type="InvokeComplete",
                 content_type="application/json")


def exception(name, message):
    return frame(json.dumps({"Message": message}).encode(), message_type="exception",
                 exception_type=name, content_type="application/json")


def prelude(status=200, headers=None, cookies=None):
    """The head that a function writes before its body."""
    said = {"statusCode": status, "headers": headers or {}}
    if cookies:
        said["cookies"] = cookies
    return json.dumps(said).encode() + NULS


def split(data, rng=random, most=64):
    """In pieces of random sizes."""
    at = 0
    while at < len(data):
        size = rng.randrange(1, most + 1)
        yield data[at:at + size]
        at += size
