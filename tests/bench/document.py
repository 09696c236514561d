"""The tables that the benchmarks print and write to docs/performance.md."""
import datetime
import os
import re
import sys

from proxies import TOP

DOCUMENT = TOP / "docs/performance.md"


def text_table(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip() for r in rows)


def markdown(rows):
    lines = ["| " + " | ".join(r) + " |" for r in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def machine():
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return (f"{datetime.date.today()}, Linux {os.uname().release}, "
            f"{model.group(1) if model else os.uname().machine}, {os.cpu_count()} CPUs")


def document_write(section, rows, where):
    """Between the section's two marker comments."""
    begin, end = (f"<!-- bench {section}: {what} -->" for what in ("begin", "end"))
    text = DOCUMENT.read_text()
    if text.count(begin) != 1 or text.count(end) != 1:
        sys.exit(f"bench: {DOCUMENT} has lost the marker comments of {section}; put them back")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    DOCUMENT.write_text(f"{before}{begin}\n{where}\n\n{markdown(rows)}\n{end}{after}")
