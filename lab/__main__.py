"""The command line of the lab: `python -m lab measure|smoke|prepare|noise|probe|selftest`.

Why plain argparse and late imports: `--help` and usage errors answer at once, without torch. Standard
output carries the result and nothing else; progress goes to standard error, as one JSON object per
second with `--json`.

Exit: 0 whenever a result was printed, whatever its status · 1 the lab could not · 2 usage · 130, 143
interrupted.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from lab.errors import LabError
from lab.sandbox import TIERS

if TYPE_CHECKING:
    from lab.cache import Prepared

EXAMPLES = """examples:
  python -m lab measure lab/train.py
  python -m lab measure lab/train.py --budget 60 --seed 7 --json
  python -m lab smoke lab/train.py
"""


class Interrupted(BaseException):
    """SIGINT or SIGTERM; not an Exception, so that nobody mistakes it for a failed measurement."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def parser() -> argparse.ArgumentParser:
    """The command line, in one place."""
    top = argparse.ArgumentParser(
        prog="python -m lab", description="Measure what a train.py is worth, in bits per byte (lower is better).",
        epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    measure = commands.add_parser("measure", help="train FILE for the budget, score it, print the measurement")
    measure.add_argument("file", metavar="FILE", type=Path)
    measure.add_argument("--budget", type=_positive, metavar="S", help="seconds of training (15 on cpu, else 300)")
    measure.add_argument("--seed", type=_seed, default=0, metavar="N", help="seed of the experiment (0)")
    measure.add_argument("--split", choices=("validation", "vault"), default="validation", help="what to score on")
    measure.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    measure.add_argument("--corpus", default="auto", metavar="C", help="sympy, text:DIR or parquet:DIR (auto)")
    _add_sandbox(measure)
    measure.add_argument("--max-eval-seconds", type=_positive, metavar="S", help="limit on scoring")
    measure.add_argument("--baseline", action="store_true", help="FILE is honest: learn from it how exact a GPU is")
    measure.add_argument(
        "--thorough-below", type=float, metavar="B", help="a score below B is checked by more boxes (5,000 places)"
    )
    measure.add_argument("--json", action="store_true", help="print one JSON object; progress as JSON lines")
    smoke = commands.add_parser("smoke", help="three steps on the CPU: does FILE (- is stdin) run at all?")
    smoke.add_argument("file", metavar="FILE", type=Path)
    _add_sandbox(smoke)
    smoke.add_argument("--json", action="store_true", help="print one JSON object")
    selftest = commands.add_parser("selftest", help="which sandbox tiers keep their promises on this machine?")
    selftest.add_argument("--fresh", action="store_true", help="try again instead of remembering")
    selftest.add_argument("--json", action="store_true", help="print one JSON object")
    prepare = commands.add_parser("prepare", help="build the corpus cache, if it is not there yet")
    prepare.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    prepare.add_argument("--corpus", default="auto", metavar="C", help="sympy, text:DIR or parquet:DIR (auto)")
    _add_machine_commands(commands)
    return top


def _add_machine_commands(commands: Any) -> None:
    noise = commands.add_parser("noise", help="how much do runs of the same FILE differ? measured and remembered")
    noise.add_argument("file", metavar="FILE", type=Path, nargs="?", default=Path(__file__).with_name("train.py"))
    noise.add_argument("--seeds", type=_seeds, default=5, metavar="N", help="runs (5)")
    noise.add_argument("--budget", type=_positive, metavar="S", help="seconds of training (15 on cpu, else 300)")
    noise.add_argument("--corpus", default="auto", metavar="C", help="sympy, text:DIR or parquet:DIR (auto)")
    probe = commands.add_parser("probe", help="can this machine measure, how fast, how evenly? takes half a minute")
    for command in (noise, probe):
        command.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
        _add_sandbox(command)
        command.add_argument("--json", action="store_true", help="print one JSON object")


def _add_sandbox(command: argparse.ArgumentParser) -> None:
    command.add_argument("--sandbox", choices=("auto", *TIERS), default="auto", help="how boxes are shut in")
    command.add_argument(
        "--i-accept-unsandboxed", action="store_true", dest="unsandboxed", help="let edited code run with your rights"
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(argv)
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        return {
            "measure": _measure, "smoke": _smoke, "prepare": _prepare, "noise": _noise, "probe": _probe,
            "selftest": _selftest,
        }[options.command](options)  # fmt: skip
    except Interrupted as interrupted:
        print("interrupted; every process was ended and nothing was kept", file=sys.stderr)
        return interrupted.exit_code
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _measure(options: argparse.Namespace) -> int:
    from lab.process import watch_parent
    from lab.referee import Request, measure
    from lab.sandbox_tiers import resolve

    watch_parent(_end_self)
    source, device = _source(options.file), _device(options.device)
    _corpus(options.corpus, device)
    request = Request(
        source, device, options.budget, options.seed, options.split, resolve(options.sandbox, options.unsandboxed),
        options.corpus, options.max_eval_seconds, is_baseline=options.baseline, thorough_below=options.thorough_below,
    )  # fmt: skip
    result = measure(request, _report_json if options.json else _report_line)
    print(result.to_json() if options.json else result.summary(), flush=True)
    return 0


def _smoke(options: argparse.Namespace) -> int:
    from lab.process import watch_parent
    from lab.referee import smoke
    from lab.sandbox_tiers import resolve

    watch_parent(_end_self)
    result = smoke(_source(options.file), sandbox=resolve(options.sandbox, options.unsandboxed))
    if options.json:
        keys = ("status", "reason", "total_seconds", "params", "sha256", "log_tail")
        print(json.dumps({key: getattr(result, key) for key in keys}), flush=True)
    else:
        print(f"{result.status}: {result.reason or 'it runs'} ({result.total_seconds:.1f} s)", flush=True)
    return 0


def _prepare(options: argparse.Namespace) -> int:
    from lab.cache import cache_folder, prepare
    from lab.corpus import named, open_corpus
    from lab.data import fingerprint
    from lab.settings import SIZES

    device = _device(options.device)
    prepared = _corpus(options.corpus, device)
    if prepared is None:
        corpus = open_corpus(named(options.corpus, device, cache_folder() / "parquet"))
        prepared = prepare(corpus, SIZES[device].vocab_size)
    print(json.dumps(fingerprint(prepared, SIZES[device])))
    return 0


def _noise(options: argparse.Namespace) -> int:
    """Several runs of one file; exit 1 if one of them fails."""
    from lab.commands import measure_noise, noise_text
    from lab.process import watch_parent
    from lab.referee import Request
    from lab.sandbox_tiers import resolve

    watch_parent(_end_self)
    tier, source, device = resolve(options.sandbox, options.unsandboxed), _source(options.file), _device(options.device)
    _corpus(options.corpus, device)
    request = Request(source, device, options.budget, 0, "validation", tier, options.corpus, is_baseline=True)
    found = measure_noise(request, options.seeds, lambda text: print(text, file=sys.stderr, flush=True))
    print(json.dumps(found) if options.json else noise_text(found), flush=True)
    return 0


def _probe(options: argparse.Namespace) -> int:
    """What this machine is good for; exit 0 whatever that is."""
    from lab.commands import probe, probe_text
    from lab.sandbox_tiers import resolve

    found = probe(_device(options.device), lambda: resolve(options.sandbox, options.unsandboxed))
    print(json.dumps(found) if options.json else probe_text(found), flush=True)
    return 0


def _selftest(options: argparse.Namespace) -> int:
    """Every tier and what it keeps closed here; exit 1 if no tier passes."""
    from lab.sandbox_selftest import examine, run

    findings = [(run if options.fresh else examine)(tier) for tier in TIERS if tier != "none"]
    best = next((finding.tier for finding in findings if finding.passed), None)
    if options.json:
        print(json.dumps({"auto": best, "tiers": [finding.to_dict() for finding in findings]}), flush=True)
    else:
        from lab.sandbox_tiers import table

        print(table(findings, best))
    return 0 if best else 1


def _source(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == Path("-") else path.read_bytes()
    except OSError as error:
        _usage(f"cannot read {path}: {error.strerror or error}; name a train.py")


def _device(name: str) -> str:
    """The device to use. Ends with a usage error if it is not there."""
    from lab.conditions import best_device

    best = best_device()
    if name == "cuda" and best != "cuda":
        _usage("there is no CUDA GPU that torch can use here; leave --device out or say cpu")
    if name == "mps" and best != "mps":
        _usage("there is no Apple GPU that torch can use here; leave --device out or say cpu")
    return best if name == "auto" else name


def _corpus(name: str, device: str) -> "Prepared | None":
    """Prepare the corpus that was named. Ends with a usage error if it is none.

    `auto` is left alone: where its text is missing, that is the machine's fault and the measurement says so.
    """
    if name == "auto":
        return None
    from lab.cache import prepare
    from lab.corpus import open_corpus
    from lab.settings import SIZES

    try:
        return prepare(open_corpus(name), SIZES[device].vocab_size)
    except LabError as error:
        if isinstance(error.__cause__, OSError):  # a full disk is no wrong name
            raise
        _usage(f"--corpus {name}: {error}")


def _usage(message: str) -> NoReturn:
    print(f"lab: {message}", file=sys.stderr)
    raise SystemExit(2)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e7:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def _seeds(text: str) -> int:
    value = int(text)
    if not 2 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} runs are no sample; say 2 to 1000")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative; a seed is 0 or more")
    return value


def _report_json(line: dict[str, Any]) -> None:
    print(json.dumps(line), file=sys.stderr, flush=True)


def _report_line(line: dict[str, Any]) -> None:
    loss = "" if line["loss"] is None else f"  step {line['step']}  loss {line['loss']:.3f} (unverified)"
    print(f"{line['phase']:8}{line['seconds']:7.1f} s  {line['progress']:6.1%}{loss}", file=sys.stderr, flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)  # once is enough; cleaning up must not be cut short
    raise Interrupted(number)


def _end_self() -> None:
    """The parent is gone: go too, and take the boxes along."""
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main())
