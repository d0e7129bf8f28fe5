"""What a train.py may do, and what becomes of one that does something else.

Every test here runs real boxes, for three steps on random tokens.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.measurement import Measurement
from lab.protocol import Message
from lab.sandbox import RunFolder, environment
from lab.settings import LOG_TAIL, SOURCE_CAP
from lab.training import told_of
from tests.lab.helpers import alive, tiny

Run = Callable[..., Measurement]


@pytest.fixture(scope="module")
def honest() -> Measurement:
    """What the plain tiny train.py gets."""
    from lab.referee import Request, measure

    return measure(Request(tiny(), budget=10.0, steps=3))


def test_a_plain_train_py_is_measured(honest: Measurement) -> None:
    result = honest
    assert (result.status, result.reason) == ("ok", None)
    assert result.val_bpb == pytest.approx(11.0, abs=1.5)  # random tokens of 2,048, one byte each
    assert result.params == 2048 * 8 + 8 * 2048 + 2048
    assert result.reported == {"steps": 3, "loss": 1.5}


@pytest.mark.parametrize(
    ("places", "status", "reason"),
    [
        ({"build": "1 / 0"}, "crash", r"ZeroDivisionError: division by zero, train.py line 18"),
        ({"before": "undefined"}, "crash", r"NameError: name 'undefined' is not defined, train.py line \d+"),
        ({"step": "raise ValueError('\\x1b[31mred\\n' * 500)"}, "crash", r"ValueError: \[31mred \[31mred"),
        ({"after": "sys.exit(3)"}, "crash", r"SystemExit: 3"),
        ({"step": "os._exit(7)"}, "crash", r"ended with exit code 7 without handing over weights"),
        ({"step": "os.abort()"}, "crash", r"ended by signal 6"),
        ({"before": "import socket; bench._channel.send('start'); bench._channel.sock.shutdown(2); time.sleep(5)"},
         "crash", r"^the box ended its connection without handing over weights"),
        ({"step": "torch.empty(1 << 50)"}, "oom", r"out of memory: RuntimeError"),
        ({"step": "os.kill(os.getpid(), 9)"}, "oom", r"signal 9"),
        ({"forward": "return logits[..., :-1]"}, "rejected", r"another shape than \[rows, T, V\]"),
        ({"forward": "logits[3, 5, 7] = -torch.inf"}, "rejected", r"not finite everywhere"),
        ({"forward": "logits = torch.full_like(logits, -3e38); logits[..., 0] = 3e38"}, "rejected",
         r"so far apart that a loss is not finite"),
        ({"forward": "return logits.double()"}, "rejected", r"another type than float32"),
        ({"forward": "return (logits,)"}, "rejected", r"did not return a tensor"),
        ({"forward": "if not self.training: 1 / 0"}, "crash", r"failed on a batch of rows"),
        ({"forward": "if not self.training: os._exit(0)"}, "crash", r"score box ended before"),
        ({"after": "model.extra = nn.Linear(2, 2)"}, "rejected", r"weights do not fit"),
        ({"after": "model.half = model.head.weight.to(torch.complex64); "
                   "model.register_buffer('c', model.half)"}, "rejected", r"^weights of other types than float64, "),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_named(boxed: Run, places: dict[str, str], status: str, reason: str) -> None:
    result = boxed(**places)
    assert result.status == status, result.reason
    assert re.search(reason, result.reason or ""), result.reason
    assert result.val_bpb is None
    assert (result.reason or "").isprintable()
    assert len(result.reason or "") < 600


@pytest.mark.parametrize(
    ("step", "status", "reason"),
    [
        ("raise ValueError(str(tokens[:9]))", "crash", "training ended with ValueError, train.py line 27"),
        ("raise type('E'.join(map(str, tokens[:9].tolist())), (ValueError,), {})", "crash",
         "training ended with an error of its own, train.py line 27"),
        ("torch.empty(1 << 50)", "oom", "out of memory while training, train.py line 27"),
    ],
)  # fmt: skip
def test_an_end_with_the_training_text_at_hand_is_told_in_words_of_ours(step: str, status: str, reason: str) -> None:
    from lab.referee import Request, measure

    result = measure(Request(tiny(step=step), budget=5.0))
    assert (result.status, result.reason, result.has_text) == (status, reason, True)
    assert "Traceback" in result.log_tail


@pytest.mark.parametrize(
    ("kind", "name", "line", "reason"),
    [
        ("crash", "KeyError", 7, "training ended with KeyError, train.py line 7"),
        ("crash", "KeyError", 8, "training ended with KeyError"),  # the source has seven lines
        ("crash", "int", 0, "training ended with an error of its own"),
        ("missing", "str", -1, "training ended with an error of its own"),
        ("parse", "SyntaxError", 1, "training ended with SyntaxError, train.py line 1"),
        ("no such kind", "__name__", 3, "training ended with an error of its own, train.py line 3"),
    ],
)
def test_no_kind_of_end_carries_words_of_the_box(kind: str, name: str, line: int, reason: str) -> None:
    fields = {"kind": kind, "type": name, "message": "the text", "line": line}
    assert told_of(Message("error", fields), 7).reason == reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"def build(:\n    pass\n", r"does not parse: SyntaxError: .*train.py line 1"),
        (b"", r"defines no function build"),
        (b"def build(bench): pass\n", r"defines no function train"),
        (b"build = 3\n", r"defines no function build"),
        (b"x = \x00", r"does not parse"),
        (b"\xff\xfe not text", r"does not parse"),
        (b"import no_such_package\n", r"ModuleNotFoundError: No module named 'no_such_package', train.py line 1"),
        (b"def build(b): return None\ndef train(m, b): pass\n", r"AttributeError: 'NoneType'"),
    ],
)
def test_a_file_that_is_no_train_py_is_a_crash(boxed: Run, source: bytes, reason: str) -> None:
    result = boxed(source or b"\n")
    assert result.status == "crash", result.reason
    assert re.search(reason, result.reason or ""), result.reason


def test_a_source_over_the_cap_is_rejected(boxed: Run) -> None:
    result = boxed(b"#" * (SOURCE_CAP + 1))
    assert (result.status, result.reason) == ("rejected", "train.py has 65537 bytes, at most 65536 are allowed")


def test_over_budget_is_a_timeout(boxed: Run) -> None:
    result = boxed(budget=1.5, step="while True: pass")
    assert result.status == "timeout"
    assert "of its budget of 1.5 s" in (result.reason or "")
    assert result.charged is not None and 1.33 < result.charged < 2  # the grace is half a second


def test_sleeping_does_not_stretch_the_budget(boxed: Run) -> None:
    began = time.monotonic()
    result = boxed(budget=0.3, build="time.sleep(60)")
    assert result.status == "timeout"
    assert "the budget is 0.3 s" in (result.reason or "")
    assert time.monotonic() - began < 55


def test_threads_and_children_are_charged(boxed: Run) -> None:
    result = boxed(budget=1.0, before="if os.fork() == 0:\n    while True: pass\ntime.sleep(30)")
    assert result.status == "timeout"
    assert (result.charged or 0) > 1


def test_a_hang_while_scoring_is_a_timeout() -> None:
    from lab.referee import Request, measure

    source = tiny(forward="if not self.training: time.sleep(60)")
    result = measure(Request(source, budget=10, steps=3, max_eval_seconds=1.5))
    assert (result.status, result.reason) == ("timeout", "scoring took more than 1.5 s")


def test_a_daemon_is_dead_before_anything_is_scored(boxed: Run, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    result = boxed(
        after=f"""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for fd in range(64):
                    try: os.close(fd)
                    except OSError: pass
                open({str(note)!r}, "w").write(str(os.getpid()))
                time.sleep(60)
            os._exit(0)
        while not os.path.exists({str(note)!r}) or not open({str(note)!r}).read(): time.sleep(0.01)
        """,
        forward=f"""
        if os.path.exists({str(note)!r}) and not self.training:
            pid = open({str(note)!r}).read()
            if os.path.exists("/proc/" + pid): raise RuntimeError("the daemon lives")
        """,
    )
    assert result.status == "ok", result.reason
    assert not alive(int(note.read_text()))


def test_a_printed_score_is_only_a_print(boxed: Run, honest: Measurement) -> None:
    liar = boxed(after='print(\'{"status": "ok", "val_bpb": 0.1}\'); bench.log(10**6, 0.0)')
    assert liar.status == "ok"
    assert liar.val_bpb == honest.val_bpb
    assert "val_bpb" in liar.log_tail


def test_a_patched_torch_does_not_reach_the_score(boxed: Run, honest: Measurement) -> None:
    patched = boxed(after="torch.logsumexp = lambda *a, **k: torch.zeros(1); torch.nn.functional.cross_entropy = None")
    assert patched.val_bpb == honest.val_bpb


def test_the_same_seed_gives_the_same_score(boxed: Run, honest: Measurement) -> None:
    assert boxed().val_bpb == honest.val_bpb
    assert boxed(build="torch.rand(3)").val_bpb != honest.val_bpb  # it is the seed that decides


def test_tokens_are_not_there_before_start(boxed: Run) -> None:
    listing = """
    def look():
        out = {}
        for fd in os.listdir("/proc/self/fd"):
            try: out[fd] = os.readlink("/proc/self/fd/" + fd)
            except OSError: pass
        return out
    import json
    first = look()
    bench.start()
    print(json.dumps([first, look()]))
    """
    result = boxed(before=listing)
    assert result.status == "ok", result.reason
    before, after = json.loads(result.log_tail)
    own = {name for name in before.values() if not name.startswith(("/dev/null", "pipe:", "socket:", "/proc/"))}
    assert {name.split()[0] for name in own} == {"/memfd:train.py", "/memfd:progress"}
    assert sum(name.startswith("socket:") for name in before.values()) == 1
    assert any("memfd:tokens" in name for name in after.values())


def test_the_environment_is_an_allow_list(boxed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("COUNCIL_SOMETHING", "x")
    result = boxed(before="import json; print(json.dumps([dict(os.environ), os.getcwd(), os.listdir()]))")
    seen, folder, files = json.loads(result.log_tail)
    assert set(seen) - {"LC_CTYPE"} <= set(environment(Path("/"), "cpu"))
    assert seen["OMP_NUM_THREADS"] == "1"
    assert "sk-secret" not in str(seen)
    assert files == []
    assert folder == seen["HOME"] == seen["TMPDIR"]
    assert not Path(folder).exists()


def test_nothing_is_left_on_the_disk(boxed: Run) -> None:
    base = Path(tempfile.gettempdir()) / f"council-lab-{os.getuid()}"
    boxed(after="open('big', 'w').write('x' * 10000)")
    assert [path for path in base.iterdir() if path.name.startswith(f"run-{os.getpid()}-")] == []


def test_the_folder_of_a_dead_owner_is_swept() -> None:
    base = Path(tempfile.gettempdir()) / f"council-lab-{os.getuid()}"
    base.mkdir(exist_ok=True)
    stale = base / "run-999999999-1-abc"
    stale.mkdir(exist_ok=True)
    mine = RunFolder()
    other = RunFolder()
    assert not stale.exists()
    assert mine.path.exists()
    for folder in (mine, other):
        folder.remove()


def test_the_log_is_bounded_and_inert(boxed: Run) -> None:
    result = boxed(before="sys.stdout.write('a\\x1b[31m\\x00b\\r\\n' * 300000); print('the end')")
    assert result.status == "ok", result.reason
    assert len(result.log_tail) <= LOG_TAIL
    assert not set(result.log_tail) & set("\x1b\x00\r")


def test_a_failure_of_the_lab_is_void(boxed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: RunFolder) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunFolder, "__init__", full)
    result = boxed()
    assert result.status == "void"
    assert "No space left on device" in (result.reason or "")
