"""Both tiers keep their promises to an ordinary user too, not only to root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USER = 1000
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
SYSTEM = Path("/usr/bin", VERSION)
EXAMINE = "import dataclasses, json, sys; from lab.sandbox_selftest import examine; "
EXAMINE += "print(json.dumps(dataclasses.asdict(examine(sys.argv[1]))))"


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """A Python that an ordinary user can run, with the packages of this one; in a folder that he can enter."""
    if os.getuid() != 0:
        pytest.skip(
            "only root can become somebody else; for an ordinary user all other tests of the sandbox are this one"
        )
    if not SYSTEM.exists():
        pytest.skip(f"there is no {SYSTEM}, and this Python may lie where an ordinary user cannot read it")
    home = Path(tempfile.mkdtemp(prefix="ordinary-", dir="/tmp"))
    try:
        home.chmod(0o755)
        (home / "home").mkdir()
        os.chown(home / "home", USER, USER)
        packages = home / "lib" / VERSION / "site-packages"
        packages.mkdir(parents=True)
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            (packages / entry.name).symlink_to(entry)
        (home / "bin").mkdir()
        (home / "bin/python").symlink_to(SYSTEM)
        (home / "pyvenv.cfg").write_text(
            f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {VERSION[6:]}\n"
        )
        yield home / "bin/python"
    finally:
        shutil.rmtree(home)


def as_user(python: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(python.parents[1] / "home"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [str(python), "-c", code, *arguments],
        user=USER, group=USER, extra_groups=[], env=environment, cwd="/", capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("tier", ["bwrap", "landlock"])
def test_an_ordinary_user_is_kept_in_as_root_is(python: Path, tier: str) -> None:
    if (tried := as_user(python, "import lab.sandbox_selftest, torch")).returncode:
        pytest.skip(f"an ordinary user cannot import the lab here: {tried.stderr.strip().splitlines()[-1]}")
    found = as_user(python, EXAMINE, tier)
    assert found.returncode == 0, found.stderr[-2000:]
    finding = json.loads(found.stdout)
    if finding["problem"]:
        pytest.skip(f"{tier} is not to be had here: {finding['problem']}")
    open_ = [name for name, closed in finding["guarantees"].items() if not closed]
    assert set(open_) <= ({"disk limit"} if tier == "landlock" else set())
