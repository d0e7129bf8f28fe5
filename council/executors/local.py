"""Experiments on this machine, one `python -m lab` process each.

The lab is a process away so that edited code never shares an interpreter with the council, its keys or its database:
it gets an allow-list environment and a file, and answers with one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from council.errors import MachineFault
from council.executors.base import Executor, Job, Progress, Smoke
from council.types import Measurement

ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "COUNCIL_LAB_CACHE", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
"""What the lab inherits; keys are not among it."""
LINE_LIMIT = 1 << 20
SELFTEST_SECONDS = 120.0
STOP_SECONDS = 5.0


class LocalExecutor(Executor):
    """Runs `python -m lab` with this interpreter."""

    async def measure(self, job: Job, progress: Progress) -> Measurement:
        arguments = ["measure", str(job.file), "--json", "--seed", str(job.seed), "--split", job.split]
        arguments += ["--device", job.device, *_shut_in(job.sandbox)]
        for name, value in (
            ("--budget", job.budget),
            ("--max-eval-seconds", job.max_eval_seconds),
            ("--thorough-below", job.thorough_below),
        ):
            arguments += [] if value is None else [name, str(value)]
        arguments += ["--baseline"] if job.is_baseline else []
        found, tail = await _lab(arguments, progress)
        if found is None:
            return _void(f"the lab ended without a measurement: {tail or 'it said nothing'}")
        return _measurement(found)

    async def smoke(self, source: str) -> Smoke:
        found, tail = await _smoke(source, self.sandbox)
        if _spoilt(found):  # once may be an accident of the machine
            found, tail = await _smoke(source, self.sandbox)
        if found is None or _spoilt(found):
            raise MachineFault(
                f"the lab could not try a proposal: {(found or {}).get('reason') or tail or 'it said nothing'}",
                hint="Run `council doctor`.",
            )
        reason = str(found.get("reason") or "")
        log = str(found.get("log_tail") or "").strip()
        return Smoke(found.get("status") == "ok", f"{reason}\n{log}" if log else reason)


def tier_here(asked: str) -> tuple[str, str]:
    """(the sandbox tier that `asked` means on this machine, or none; why none)."""
    return _tiers().get(asked) or ("none", f"the sandbox {asked} does not keep its promises here\n{_told()}".rstrip())


def _tiers() -> dict[str, tuple[str, str]]:
    """The tiers that pass their self-test, by the names they can be asked for."""
    with suppress(ValueError, AttributeError, KeyError):
        found = json.loads(_selftest("--json")[0])
        best = {"auto": (found["auto"], "")} if found["auto"] else {}
        return best | {tier["tier"]: (tier["tier"], "") for tier in found["tiers"] if tier["passed"]}
    return {}


def _told() -> str:
    return "\n".join(part.strip() for part in _selftest() if part)[-1500:]


@cache
def _selftest(*options: str) -> tuple[str, str]:
    """What `python -m lab selftest` prints; the lab remembers it until the machine changes."""
    environment = {k: os.environ[k] for k in ENVIRONMENT if k in os.environ}
    command = [sys.executable, "-P", "-m", "lab", "selftest", *options]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=SELFTEST_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    return done.stdout, done.stderr


def _shut_in(tier: str) -> list[str]:
    """`none` gets here only if whoever started the session accepted it."""
    return ["--sandbox", tier, *(["--i-accept-unsandboxed"] if tier == "none" else [])]


async def _smoke(source: str, sandbox: str) -> tuple[dict[str, Any] | None, str]:
    return await _lab(["smoke", "-", "--json", *_shut_in(sandbox)], lambda _: None, source.encode())


def _spoilt(found: Mapping[str, Any] | None) -> bool:
    """Whether the machine and not the code is at fault."""
    return found is None or found.get("status") == "void"


async def _lab(
    arguments: list[str], progress: Progress, given: bytes | None = None
) -> tuple[dict[str, Any] | None, str]:
    """Run the lab on what is `given`; (its JSON object or None, its last other line). Cancelling kills it."""
    environment = {k: os.environ[k] for k in ENVIRONMENT if k in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the folder one stands in may hold another package named lab
            "-m",
            "lab",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C at the terminal reaches the council alone, which decides what it means
            limit=LINE_LIMIT,
        )
    except OSError as error:  # no memory or no process left
        return None, str(error)
    try:
        assert process.stdout and process.stderr
        talk = asyncio.gather(process.stdout.read(), _follow(process.stderr, progress), _give(process.stdin, given))
        output, tail, _ = await talk
        await process.wait()
    finally:
        await _end(process)
    with suppress(ValueError):
        found = json.loads(output)
        if isinstance(found, dict):
            return found, tail
    return None, tail


async def _give(stream: asyncio.StreamWriter | None, data: bytes | None) -> None:
    """Hand `data` over and close; a lab that has ended already does not want it."""
    if stream is not None and data is not None:
        with suppress(ConnectionError):
            stream.write(data)
            await stream.drain()
        stream.close()


async def _follow(stream: asyncio.StreamReader, progress: Progress) -> str:
    """Pass the lab's progress lines on; returns the last line that was none."""
    tail = ""
    while True:
        try:
            line = (await stream.readline()).decode("utf-8", "replace")
        except ValueError:  # longer than any line of the lab; the reader has dropped it
            continue
        if not line:
            return tail
        try:
            found = json.loads(line)
        except ValueError:
            tail = line.strip()[:500] or tail
            continue
        if isinstance(found, dict):
            progress(found)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Make sure the lab is gone: ask first, so that it can kill its boxes, then insist.

    The end of a session cancels twice, its own task and then all that is left; that must not cut this short, or a lab
    stays behind and its pipes outlive the event loop.
    """
    cancelled = False
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(number)
            cancelled |= await _waited(process)
    process._transport.close()  # type: ignore[attr-defined]  # a pipe that something left behind holds open, too
    if cancelled:
        raise asyncio.CancelledError


async def _waited(process: asyncio.subprocess.Process) -> bool:
    """Give the lab STOP_SECONDS to end; whether somebody cancelled the wait, which went on all the same."""
    clock, cancelled = asyncio.get_running_loop().time, False
    until = clock() + STOP_SECONDS
    while process.returncode is None and (left := until - clock()) > 0:
        try:
            await asyncio.wait_for(process.wait(), left)
        except TimeoutError:
            break
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


def _measurement(found: Mapping[str, Any]) -> Measurement:
    bpb = found.get("val_bpb")
    return Measurement(
        status=str(found["status"]),
        val_bpb=None if bpb is None else float(bpb),
        reason=str(found.get("reason") or ""),
        s0=float(found["s0"]),
        fingerprint=json.dumps(found.get("fingerprint"), sort_keys=True),
        conditions=found.get("conditions") or {},
        sandbox=str(found.get("sandbox") or "none"),
        train_seconds=float(found.get("train_seconds") or 0.0),
        total_seconds=float(found.get("total_seconds") or 0.0),
        log_tail=str(found.get("log_tail") or ""),
        raw=dict(found),
    )


def _void(reason: str) -> Measurement:
    return Measurement("void", None, reason, 0.0, "", {}, "none", 0.0, 0.0, "", {})
