"""`python -m lab`, as the council and a person use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.measurement import KEYS
from tests.lab.helpers import ROOT, alive, lab, one_object, tiny

EXPECTED_KEYS = [
    "status", "val_bpb", "reason", "charged", "train_seconds", "startup_seconds", "eval_seconds", "total_seconds",
    "params", "peak_memory_mb", "device", "sandbox", "seed", "split", "s0", "fingerprint", "conditions", "sha256",
    "causality", "reported", "has_text", "log_tail", "clock", "scoring",
]  # fmt: skip

UNSANDBOXED = ("--sandbox", "none", "--i-accept-unsandboxed")


@pytest.fixture
def train_py(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_bytes(tiny())
    return path


def test_measure_prints_one_object_with_the_documented_keys(train_py: Path) -> None:
    done = lab("measure", str(train_py), "--budget", "0.3", "--seed", "5", "--json")
    assert done.returncode == 0, done.stderr
    result = one_object(done.stdout)
    assert list(result) == EXPECTED_KEYS == list(KEYS)
    assert result["status"] == "ok", result["reason"]
    assert 2 < result["val_bpb"] < 6
    tier = one_object(lab("selftest", "--json").stdout)["auto"]
    assert (result["seed"], result["split"], result["device"], result["sandbox"]) == (5, "validation", "cpu", tier)
    checked = result["causality"]
    assert (checked["edges"], checked["tolerance"], checked["max_difference"]) == (500, 0.0, 0.0)
    assert checked["controls"] >= 32
    assert result["s0"] == 0.008
    assert result["fingerprint"]["corpus"] == "sympy"
    assert (result["fingerprint"]["vocab_size"], result["fingerprint"]["seq_len"]) == (2048, 128)
    assert set(result["conditions"]) == {"device", "threads", "precision", "torch", "clock", "budget", "sandbox"}
    assert result["conditions"]["budget"] == 0.3
    assert result["conditions"]["clock"] == "pacemaker"
    assert result["charged"] >= 1
    assert set(result["clock"]) == {"units", "u_ms", "mean_u_ms", "samples", "clamped"}
    assert result["reported"]["steps"] > 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all(set(line) == {"phase", "seconds", "step", "loss", "progress"} for line in lines)
    assert {line["phase"] for line in lines} == {"startup", "train", "score"} or len(lines) >= 2


def test_the_vault_is_another_score_of_the_same_training(train_py: Path) -> None:
    source = tiny(step="break")
    train_py.write_bytes(source)
    scores = {
        split: one_object(lab("measure", str(train_py), "--split", split, "--json").stdout)["val_bpb"]
        for split in ("validation", "vault")
    }
    assert scores["validation"] != scores["vault"]


def test_the_score_equals_an_evaluation_in_one_process(train_py: Path) -> None:
    """The whole path (weights out, rows in, logits back) changes the score by less than 1e-6."""
    import math

    import torch
    import torch.nn.functional as F

    from lab.cache import prepare
    from lab.corpus import open_corpus
    from lab.data import experiment_data
    from lab.settings import SIZES

    train_py.write_bytes(tiny(step="break"))
    boxed = one_object(lab("measure", str(train_py), "--seed", "11", "--json").stdout)["val_bpb"]
    data = experiment_data(prepare(open_corpus("sympy"), 2048), SIZES["cpu"], 11, "validation")
    torch.manual_seed(11)
    names: dict[str, object] = {}
    exec(train_py.read_bytes(), names)
    model = names["Tiny"](2048)  # type: ignore[operator]
    rows, lengths = torch.from_numpy(data.rows).long(), torch.from_numpy(data.byte_lengths)
    nats = total = 0.0
    with torch.no_grad():
        for row in rows:
            loss = F.cross_entropy(model(row[None, :-1])[0], row[1:], reduction="none").double()
            nats += float((loss * (lengths[row[1:]] > 0)).sum())
            total += float(lengths[row[1:]].sum())
    assert boxed == pytest.approx(nats / math.log(2) / total, abs=1e-6)


def test_smoke_says_whether_it_runs(train_py: Path) -> None:
    done = lab("smoke", str(train_py), "--json")
    result = one_object(done.stdout)
    assert (done.returncode, result["status"], result["reason"]) == (0, "ok", None)
    train_py.write_text("def build(bench):\n    return undefined\ndef train(model, bench): pass\n")
    result = one_object(lab("smoke", str(train_py), "--json").stdout)
    assert result["status"] == "crash"
    assert result["reason"] == "NameError: name 'undefined' is not defined, train.py line 2"
    assert "Traceback" in result["log_tail"]
    train_py.write_text("def build(bench):\n    return __import__('torch').nn.Linear(1, 1)\n"
                        "def train(model, bench):\n    bench.start()\n    {}['seen in smoke']\n")  # fmt: skip
    result = one_object(lab("smoke", str(train_py), "--json").stdout)
    assert result["reason"] == "KeyError: 'seen in smoke', train.py line 5"


def test_the_shipped_train_py_passes_smoke() -> None:
    result = one_object(lab("smoke", "lab/train.py", "--json").stdout)
    assert result["status"] == "ok", result["reason"]


def test_smoke_reads_what_is_piped_into_it() -> None:
    result = one_object(lab("smoke", "-", "--json", input="def build(bench):\n    return missing\n").stdout)
    assert result["reason"] == "train.py defines no function train"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["measure", "no/such/train.py"], "cannot read no/such/train.py: No such file or directory"),
        (["smoke", "lab"], "cannot read lab: Is a directory"),
        (["measure", "lab/train.py", "--budget", "-3"], "-3"),
        (["measure", "lab/train.py", "--budget", "soon"], "soon"),
        (["measure", "lab/train.py", "--seed", "-1"], "-1"),
        (["measure", "lab/train.py", "--split", "train"], "train"),
        (["measure", "lab/train.py", "--sandbox", "castle"], "castle"),
        (["noise", "--seeds", "1"], "1 runs are no sample"),
        (["frobnicate"], "frobnicate"),
        ([], "COMMAND"),
    ],
)
def test_wrong_usage_exits_2_and_says_why(arguments: list[str], says: str) -> None:
    done = lab(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_help_does_not_load_torch() -> None:
    code = (
        "import sys; sys.argv=['lab','--help']; import lab.__main__ as m\n"
        "try: m.main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'tiktoken', 'rustbpe', 'sympy', 'council'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "python -m lab measure lab/train.py" in done.stdout


def _started(path: Path, note: Path, **options: object) -> tuple[subprocess.Popen[str], int]:
    """A measurement that sleeps in its train box, and that box's pid."""
    path.write_bytes(tiny(before=f"open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"))
    command = [sys.executable, "-m", "lab", "measure", str(path), "--json", *UNSANDBOXED]  # it writes a note
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    deadline = time.monotonic() + 30
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.02)
    return run, int(note.read_text())


def _gone(*pids: int) -> bool:
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(alive(pid) for pid in pids)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_boxes_too(tmp_path: Path, number: signal.Signals, code: int) -> None:
    run, box = _started(tmp_path / "train.py", tmp_path / "pid")
    run.send_signal(number)
    out, _ = run.communicate(timeout=5)
    assert run.returncode == code
    assert out == ""
    assert _gone(box)
    assert _folders_of(run.pid) == []


def test_boxes_die_with_a_killed_referee(tmp_path: Path) -> None:
    run, box = _started(tmp_path / "train.py", tmp_path / "pid")
    run.kill()
    run.communicate(timeout=5)
    assert _gone(box)


def test_the_referee_dies_with_its_parent(tmp_path: Path) -> None:
    note, path = tmp_path / "pid", tmp_path / "train.py"
    path.write_bytes(
        tiny(before=f"open({str(note)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}'); time.sleep(60)")
    )
    words = ["-m", "lab", "measure", str(path), "--json", *UNSANDBOXED]
    code = f"import subprocess, sys; subprocess.run([sys.executable, *{words!r}])"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while not (note.exists() and len(note.read_text().split()) == 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    box, referee = map(int, note.read_text().split())
    parent.kill()
    parent.wait()
    assert _gone(box, referee)


def _folders_of(pid: int) -> list[str]:
    import tempfile

    base = Path(tempfile.gettempdir()) / f"council-lab-{os.getuid()}"
    return [path.name for path in base.iterdir() if path.name.startswith(f"run-{pid}-")]


@pytest.mark.parametrize("command", [("measure", "lab/train.py"), ("noise",), ("prepare",)])
def test_a_named_corpus_that_is_none_is_wrong_usage(tmp_path: Path, command: tuple[str, ...]) -> None:
    cache = {**os.environ, "COUNCIL_LAB_CACHE": str(tmp_path / "cache")}
    (tmp_path / "texts").mkdir()
    for text, said in (("", "holds no text files"), ("hello", "has no document for")):
        if text:
            (tmp_path / "texts" / "one.txt").write_text(text)
        done = lab(*command, "--corpus", f"text:{tmp_path}/texts", env=cache)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"--corpus text:{tmp_path}/texts: " in done.stderr and said in done.stderr


def test_a_corpus_that_cannot_be_kept_is_no_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = lab(
        "measure", "lab/train.py", "--corpus", "sympy", env={**os.environ, "COUNCIL_LAB_CACHE": f"{tmp_path}/file"}
    )
    assert done.returncode == 1 and "cannot prepare the corpus" in done.stderr
