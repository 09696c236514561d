"""Events and answers of Lambda functions, judged by others: a framework that
handlers are written with takes our events and gives answers, the SDK's codec
writes an event stream. What they say is kept in tests/unit/kinds, where the unit
tests hold the program to it; here it is seen that they still say so.

    test_lambda_events.py                 compares
    GG_RECORD=1 test_lambda_events.py     writes aws_judged.json anew
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.parse

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
import e2e
import node_packages
from e2e import check, equal

HERE = pathlib.Path(__file__).resolve().parent / "lambda"
EVENTS = e2e.TOP / "tests/unit/kinds/aws_events"
KEPT = e2e.TOP / "tests/unit/kinds/aws_judged.json"


def setup():
    folder = node_packages.installed(HERE, "lambda")
    shutil.copy(HERE / "judge.js", folder)
    p = subprocess.run(["node", "judge.js", str(EVENTS)], cwd=folder, capture_output=True,
                       text=True, timeout=120)
    check(p.returncode == 0, p.stderr)
    return json.loads(p.stdout)


def last_of(pairs):
    """As ALB without multi-value headers gives a query: one value of a name."""
    return list(dict(pairs).items())


def fields_of(request, shape, multi):
    """name -> value as one text, of what the client sent."""
    fields = {}
    for name, value in request["fields"]:
        if name.lower() == "cookie" and shape == "v2":
            parts = [c.strip() for c in value.split(";") if c.strip()]
            fields.setdefault("cookie", []).extend(parts)
        else:
            fields.setdefault(name.lower(), []).append(value)
    if shape == "alb" and not multi:
        return {n: v[-1] for n, v in fields.items()}
    return {n: ("; " if n == "cookie" and shape == "v2" else ",").join(v)
            for n, v in fields.items()}


def test_requests(judged):
    """a handler sees of each event the request that it was made of"""
    for name, seen in judged["seen"].items():
        case = json.loads((EVENTS / name).read_text())
        request, shape = case["request"], case["shape"]
        multi = case["context"].get("multi_value_headers")
        equal(seen["method"], request["method"], name)
        path, _, query = seen["url"].partition("?")
        stage = case["context"].get("stage", "")
        if name == "emulator_v1.json":
            stage, wanted = "", "/my/path"  # of its resource below /rest
        else:
            wanted = request["path"]
        equal(path, (f"/{stage}" if stage and shape == "v2" else "") + wanted, name)
        wanted = urllib.parse.parse_qsl(request["query"] or "", keep_blank_values=True)
        got = urllib.parse.parse_qsl(query, keep_blank_values=True)
        equal(sorted(got), sorted(last_of(wanted) if shape == "alb" and not multi else wanted), name)
        body = base64.b64decode(request["body_base64"]) if "body_base64" in request \
            else request["body"].encode()
        equal(base64.b64decode(seen["body"]), body, name)
        for field, value in fields_of(request, shape, multi).items():
            if "headers." + field not in case.get("differs", {}):
                equal(str(seen["headers"].get(field)), value, f"{name}: {field}")
        equal(seen["headers"]["host"], request["host"], name)
        if shape != "alb":
            equal(seen["client"], request["client"], name)
    return f"{len(judged['seen'])} events"


def test_answers(judged):
    """applications answer, and the codec writes, what the unit tests read"""
    said = {"source": "tests/interop/lambda/judge.js: what its packages say",
            "answers": judged["answers"], "stream": judged["stream"]}
    if os.environ.get("GG_RECORD") == "1":
        KEPT.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    equal(said, json.loads(KEPT.read_text()))
    return f"{len(said['answers'])} answers"


if __name__ == "__main__":
    e2e.main(globals())
