"""Certificates for tests, by openssl's command line: an authority, and what it signs,
good or with one thing wrong."""
import pathlib

from e2e import run


class Certificate:
    """cert and key are files."""

    def __init__(self, folder, name):
        self.cert = pathlib.Path(folder, name + ".crt")
        self.key = pathlib.Path(folder, name + ".key")

    @property
    def pem(self):
        return self.cert.read_text()

    @property
    def key_pem(self):
        return self.key.read_text()

    def key_lines(self):
        """Of the key, the lines that nobody else has."""
        return [line for line in self.key_pem.splitlines() if "---" not in line]

    def fingerprint(self):
        """SHA-256, "AB:CD:..."."""
        return run("openssl", "x509", "-in", self.cert, "-noout", "-fingerprint",
                   "-sha256").stdout.strip().partition("=")[2]


def new_key(folder, name, *argv):
    """A key of its own and with it a request, or what argv makes of it."""
    c = Certificate(folder, name)
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", c.key, *argv)
    return c


def self_signed(folder, name, *names, days=30):
    """Its own authority; names as in Authority.issue."""
    more = ["-addext", "subjectAltName=" + ",".join(names)] if names else []
    return new_key(folder, name, "-x509", "-out", pathlib.Path(folder, name + ".crt"), "-days",
                   str(days), "-subj", "/CN=" + name, *more)


class Authority(Certificate):
    def __init__(self, folder, name="ca"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self_signed(folder, name)
        super().__init__(folder, name)

    def issue(self, name, *names, days=30, usage="serverAuth", subject=None):
        """names: "DNS:a.test", "IP:10.0.0.1". days=-1: it has expired."""
        csr, ext = self.folder / (name + ".csr"), self.folder / (name + ".ext")
        c = new_key(self.folder, name, "-out", csr, "-subj", subject or "/CN=" + name)
        ext.write_text(f"extendedKeyUsage={usage}\n"
                       + (f"subjectAltName={','.join(names)}\n" if names else ""))
        run("openssl", "x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key,
            "-CAcreateserial", "-days", str(days), "-extfile", ext, "-out", c.cert)
        return c
