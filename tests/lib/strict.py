"""A strict reader of HTTP/1.1 messages, the judge of what a proxy sends: every
byte must be where RFC 9112 puts it, each message has one framing, and nothing
is guessed. It shares no code with the program that it judges."""
import re

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
TARGET = re.compile(rb"/(?:[!$&'()*+,./0-9:;=@A-Z_a-z~-]|%[0-9A-Fa-f]{2})*"
                    rb"(?:\?(?:[!$&'()*+,./0-9:;=?@A-Z_a-z~-]|%[0-9A-Fa-f]{2}|[\[\]])*)?")
HOST = re.compile(rb"(?:[0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})")
# What concerns one hop only, and what no proxy of ours has reason to pass on.
HOP = (b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"http2-settings")


class Bad(Exception):
    """Not one strictly valid message after the other."""


class Message:
    def __init__(self):
        self.method = self.target = self.status = None
        self.fields, self.body, self.interim = [], b"", []
        self.complete = False   # all of it is there
        self.until_close = False
        self.length = 0         # in bytes, when complete

    def get(self, name):
        """The values of a field, joined as one; None when it is not there."""
        values = [v for n, v in self.fields if n == name]
        return b", ".join(values) if values else None

    def names(self):
        return [n for n, _ in self.fields]

    def __repr__(self):
        first = self.status if self.method is None else self.method + b" " + self.target
        return f"<{first} {self.fields} {self.body[:80]!r} complete={self.complete}>"


def ensure(condition, *what):
    if not condition:
        raise Bad(" ".join(str(w) for w in what))


def read_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        ensure(colon and TOKEN.fullmatch(name), "field line:", line)
        value = value.strip(b" \t")
        ensure(not CONTROL.search(value), "control byte in a value:", line)
        fields.append((name.lower(), value))
    return fields


def read_framing(m):
    """("none" | "length" | "chunked", length)"""
    lengths = [v for n, v in m.fields if n == b"content-length"]
    codings = [v for n, v in m.fields if n == b"transfer-encoding"]
    ensure(len(lengths) + len(codings) <= 1, "more than one framing:", m.fields)
    if codings:
        ensure(codings == [b"chunked"], "transfer-encoding:", codings)
        return "chunked", 0
    if lengths:
        ensure(re.fullmatch(rb"0|[1-9][0-9]{0,18}", lengths[0]), "content-length:", lengths)
        return "length", int(lengths[0])
    return "none", 0


def read_chunked(data, m):
    """The rest behind the body; None: it is not complete."""
    while True:
        end = data.find(b"\r\n")
        if end < 0:
            ensure(re.fullmatch(rb"[0-9A-Fa-f]{0,16}\r?", data), "chunk size:", data[:40])
            return None
        ensure(CHUNK.fullmatch(data[:end]), "chunk size:", data[:end])
        size = int(data[:end], 16)
        data = data[end + 2:]
        m.body += data[:size] if size else b""
        if len(data) < size + 2:
            ensure(data[size:] in (b"", b"\r"), "end of a chunk:", data[size:])
            return None
        ensure(data[size:size + 2] == b"\r\n", "end of a chunk, or a trailer:",
               data[size:size + 40])
        data = data[size + 2:]
        if size == 0:
            m.complete = True
            return data


def read_body(data, m, framing, length):
    if framing == "chunked":
        return read_chunked(data, m)
    m.body, m.complete = data[:length], len(data) >= length
    return data[length:] if m.complete else None


def read_head(data):
    """(lines of the head, the rest); None: no end of it."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None, data
    lines = data[:end].split(b"\r\n")
    for line in lines:
        ensure(b"\r" not in line and b"\n" not in line, "line end:", line)
    return lines, data[end + 4:]


def requests(data):
    """All requests in data; the last may be incomplete (complete says so)."""
    found = []
    while data:
        m = Message()
        lines, rest = read_head(data)
        if lines is None:
            m.method, m.target = b"", b""
            return found + [m]
        parts = lines[0].split(b" ")
        ensure(len(parts) == 3 and TOKEN.fullmatch(parts[0]) and parts[2] == b"HTTP/1.1",
               "request line:", lines[0])
        m.method, m.target = parts[:2]
        ensure(TARGET.fullmatch(m.target) or (m.target == b"*" and m.method == b"OPTIONS"),
               "target:", lines[0])
        m.fields = read_fields(lines[1:])
        names = m.names()
        ensure(names.count(b"host") == 1, "one Host:", names)
        host = HOST.fullmatch(m.get(b"host"))
        ensure(host and int(host[1] or 0) <= 65535, "Host:", m.get(b"host"))
        ensure(b"connection" not in names, "Connection went on:", m.fields)
        for hop in HOP:
            ensure(hop not in names, "a field of one hop went on:", hop)
        rest = read_body(rest, m, *read_framing(m))
        found.append(m)
        if rest is None:
            break
        m.length = len(data) - len(rest)
        data = rest
    return found


def responses(data, methods, closed=False):
    """The final responses to requests with these methods, each with its
    interim ones. closed: the peer ended the connection in an orderly way. The
    last may be incomplete; bytes that belong to no response are Bad."""
    found = []
    methods = list(methods)
    interim = []
    while data:
        ensure(methods, "bytes that nobody asked for:", data[:200])
        ensure(not found or found[-1].get(b"connection") != b"close",
               "bytes after the last response:", data[:200])
        m = Message()
        m.interim = interim
        lines, rest = read_head(data)
        if lines is None:
            ensure(b"HTTP/1.1 "[:len(data)] == data[:9], "start of a response:", data[:80])
            return found + [m]
        line = STATUS.fullmatch(lines[0])
        ensure(line, "status line:", lines[0])
        m.status = int(line[1])
        m.fields = read_fields(lines[1:])
        for hop in HOP:
            ensure(hop not in m.names(), "a field of one hop came through:", hop)
        ensure(m.get(b"connection") in (None, b"close", b"keep-alive"), m.fields)
        framing, length = read_framing(m)
        if m.status < 200:
            ensure(m.status == 100 and not m.fields, "interim response:", lines)
            interim = interim + [m.status]
            data = rest
            continue
        interim = []
        method = methods.pop(0)
        if m.status in (204, 304) or method == b"HEAD":
            ensure(m.status != 204 or framing == "none", "framing of a 204:", m.fields)
            m.complete = True
        elif framing == "none":
            ensure(m.get(b"connection") == b"close", "neither length nor close:", m.fields)
            m.until_close, m.body, m.complete = True, rest, closed
            rest = b""
        else:
            rest = read_body(rest, m, framing, length)
        found.append(m)
        if rest is None:
            break
        data = rest
    return found
