"""Node packages for the drills, as a lock file has them, in a cache outside the tree."""
import hashlib
import os
import pathlib
import shutil
import subprocess

import e2e

CACHE = pathlib.Path(os.environ.get("GG_CACHE", "/var/cache/gloo-gateway-tests"))


def installed(source, name, oldest=18, seconds=300):
    """The folder with node_modules as package-lock.json in source has them; skips with a
    reason where they cannot be had."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise e2e.Skip(f"{program} is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < oldest:
        raise e2e.Skip(f"node is {version}, the packages need {oldest}")
    lock = (source / "package-lock.json").read_bytes()
    folder = CACHE / (f"{name}-" + hashlib.sha256(lock).hexdigest()[:16])
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, folder)
        p = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                           capture_output=True, text=True, timeout=seconds)
        if p.returncode != 0:
            raise e2e.Skip("npm ci: " + (p.stderr.strip().splitlines() or ["failed"])[-1])
        (folder / "complete").touch()
    return folder
