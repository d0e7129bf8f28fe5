"""The train box, seen from the referee: tokens out at `start`, clock running, weights back.

Why this is a loop and not a call: while the box works the referee has to publish progress, keep the
clock, drain what the box prints, and notice within a fiftieth of a second that it died or overran.
Nothing that the box says is believed; all it can do is hand over weights or end its experiment. Once it has
the training text, its end is told in words of ours: what a member reads must carry nothing out.
"""

import builtins
import math
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from lab.clock import Clock
from lab.errors import Ended, Rejected
from lab.first_answer import paid_twice
from lab.measurement import printable
from lab.memory import ProgressPage, read, sealed, size_of
from lab.process import peak_memory_mb
from lab.protocol import Message, checked
from lab.sandbox import Box
from lab.settings import GRACE, LOG_CAP, LOG_TAIL, POLL_SECONDS, STARTUP_SECONDS, WALL_FACTOR, WALL_LEAST

Report = Callable[[dict[str, Any]], None]

ERRORS = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}
ITEM_SIZES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
ITEM_SIZES |= {"int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1}


@dataclass(frozen=True)
class Weights:
    """A state dict as raw bytes that the referee has copied and measured."""

    fields: dict[str, Any]  # names, shapes, dtypes
    fd: int
    numbers: int  # elements in all
    size: int  # bytes


@dataclass
class TrainPhase:
    """Everything between the launch of the train box and its weights."""

    box: Box
    clock: Clock
    page: ProgressPage
    tokens_fd: int
    token_count: int
    budget: float  # seconds on `clock`
    weights_cap: int  # bytes
    lines: int = 0  # of the source
    is_smoke: bool = False  # tokens are random numbers
    wall_seconds: float = math.inf  # limit on the whole phase
    report: Report = lambda line: None
    on_ready: Callable[[], None] = lambda: None
    reported: dict[str, Any] = field(default_factory=dict)
    charged: float | None = None
    startup_seconds: float | None = None
    train_seconds: float | None = None
    peak_memory_mb: float | None = None
    before_start: float | None = None  # CPU-seconds used before it asked for the tokens, if the clock counts them
    _unstarted: float = 0.0  # the charge for that
    _tail: bytes = b""
    _printed: int = 0
    _started: bool = False
    _weights: Weights | None = None

    @property
    def has_text(self) -> bool:
        """Whether the box has been given the training text."""
        return self._started and not self.is_smoke

    def run(self) -> Weights:
        """Wait for the weights. Raises Ended with crash, timeout, oom, rejected or void."""
        try:
            return self._converse()
        finally:
            self._drain_output()  # the end of it explains a crash

    def _converse(self) -> Weights:
        self._began = time.monotonic()
        self._ready_at = math.inf
        next_report = 0.0
        while self._weights is None:
            listening = [fd for fd in (self.box.channel.fileno(), self.box.output) if fd >= 0]
            select.select(listening, [], [], POLL_SECONDS)
            self._drain_output()
            code = self.box.exit_code()  # before the messages: its last one may explain its end
            self._handle_messages()
            self._keep_time()
            if self._weights is None and (code is not None or self.box.channel.closed):
                self._died(code)
            if time.monotonic() >= next_report:
                next_report = time.monotonic() + 1.0
                self.report(self._line())
        return self._weights

    def log_tail(self) -> str:
        """The end of what the box printed."""
        return printable(self._tail.decode("utf-8", "replace"))[-LOG_TAIL:]

    def _line(self) -> dict[str, Any]:
        spent = time.monotonic() - self._began
        return {
            "phase": "train" if self.startup_seconds is not None else "startup",
            "seconds": round(spent, 2),
            "step": self.reported.get("steps"),
            "loss": self.reported.get("loss"),
            "progress": round(self._charge() / self.budget, 4),
        }

    def _handle_messages(self) -> None:
        for _ in range(100):  # a box that never stops talking must not stop the clock
            message = self.box.channel.poll()
            if message is None or self._weights is not None:
                return
            self._handle(checked(message))

    def _handle(self, message: Message) -> None:
        if (message.kind == "ready") == (self.startup_seconds is not None) and message.kind != "error":
            raise Rejected(f"the box sent {message.kind!r} out of turn")
        match message.kind:
            case "ready":
                self.clock.ready()
                self.on_ready()  # before the box goes on: while this takes its time, nobody looks at the clock
                self._ready_at = time.monotonic()
                self._tell("go")
                self.startup_seconds = self._ready_at - self._began
            case "start":
                if self._started:
                    raise Rejected("the box sent 'start' twice")
                self._charge()
                self._started = True
                self.clock.started()
                self._tell("tokens", self.tokens_fd, count=self.token_count)
            case "log":
                self.reported = {"steps": message.fields["step"], "loss": _finite(message.fields["loss"])}
            case "weights":
                self._finish(message)
            case "error":
                raise told_of(message, self.lines) if self.has_text else error_of(message)
            case _:
                raise Rejected(f"the box sent {message.kind!r} out of turn")

    def _tell(self, kind: str, fd: int = -1, **fields: Any) -> None:
        """Send the box a message; one that has hung up has ended, whatever it does since."""
        try:
            self.box.channel.send(kind, fd, **fields)
        except OSError:
            self._died(self.box.exit_code())

    def _finish(self, message: Message) -> None:
        self._keep_time()
        self.train_seconds = time.monotonic() - self._ready_at
        self.peak_memory_mb = peak_memory_mb(self.box.pid)
        try:
            self._weights = copied(message, self.weights_cap)
        finally:
            os.close(message.fd)

    def _charge(self) -> float:
        """Budget seconds used so far; long work before `start` counts twice, see first_answer.py."""
        charge, seconds = self.clock.charge(), self.clock.cpu_seconds()
        if not self._started and seconds is not None:
            self.before_start, self._unstarted = seconds, charge
        return charge + paid_twice(self._unstarted)

    def _keep_time(self) -> None:
        charge = self._charge()
        self.charged = charge / self.budget
        self.page.write(self.charged)
        now = time.monotonic()
        wall = now - self._ready_at
        if charge > self.budget + GRACE / self.clock.stretch:
            used = f"training used {charge:.1f} s of its budget of {self.budget:g} s"
            raise Ended("timeout", f"{used}; train has to return when progress() is 1")
        if wall > max(WALL_LEAST, WALL_FACTOR * self.budget * self.clock.patience):
            self.clock.finish()  # on a machine that is too busy it is not the code that is slow
            used = f"of which {charge:.1f} s were used"
            raise Ended("timeout", f"training took {wall:.1f} s, {used}; the budget is {self.budget:g} s")
        if now - self._began > self.wall_seconds:
            raise Ended("timeout", f"the run took more than {self.wall_seconds:g} s")
        if self.startup_seconds is None and now - self._began > STARTUP_SECONDS:
            raise Ended("void", f"the box was not ready after {STARTUP_SECONDS:g} s; is the machine overloaded?")

    def _died(self, code: int | None) -> NoReturn:
        deadline = time.monotonic() + 1.0
        while code is None and time.monotonic() < deadline:  # its socket closes a moment before it is dead
            time.sleep(0.01)
            code = self.box.exit_code()
        if self.startup_seconds is None:
            raise Ended("void", f"the box ended {_ending(code)} before it was ready")
        if code == -9:
            raise Ended("oom", "the box was killed by signal 9, as the system does when memory runs out")
        raise Ended("crash", f"the box ended {_ending(code)} without handing over weights")

    def _drain_output(self) -> None:
        for _ in range(16 if self.box.output >= 0 else 0):
            try:
                data = os.read(self.box.output, 65536)
            except BlockingIOError:
                return
            if not data:
                self.box.stop_listening()
                return
            if self._printed < LOG_CAP:
                self._tail = (self._tail + data)[-LOG_TAIL:]
            self._printed += len(data)


def error_of(message: Message) -> Ended:
    """What the train box says went wrong with the edited code, before it had the training text."""
    kind, line = message.fields["kind"], message.fields["line"]
    text = " ".join(printable(f"{message.fields['type']}: {message.fields['message']}").split())[:400]
    where = f", train.py line {line}" if line else ""
    match kind:
        case "missing":
            return Ended("crash", "train.py defines no function " + printable(message.fields["message"])[:20])
        case "parse":
            return Ended("crash", f"train.py does not parse: {text}{where}")
        case "oom":
            return Ended("oom", f"out of memory: {text}{where}")
        case _:
            return Ended("crash", f"{text}{where}")


def told_of(message: Message, lines: int) -> Ended:
    """The same for a box that has the text: which of Python's own errors, and in which line of the source."""
    kind, name, line = (message.fields[key] for key in ("kind", "type", "line"))
    where = f", train.py line {line}" if 0 < line <= lines else ""
    if kind == "oom":
        return Ended("oom", f"out of memory while training{where}")
    return Ended("crash", f"training ended with {name if name in ERRORS else 'an error of its own'}{where}")


def copied(message: Message, cap: int) -> Weights:
    """The weights in memory of our own. Raises Rejected unless names, shapes, types and bytes agree."""
    names, shapes, dtypes = (message.fields[key] for key in ("names", "shapes", "dtypes"))
    if not len(names) == len(shapes) == len(dtypes) or len(set(names)) != len(names):
        raise Rejected(f"the box sent {len(names)} names, {len(shapes)} shapes and {len(dtypes)} types of weights")
    numbers = expected = 0
    for shape, dtype in zip(shapes, dtypes, strict=True):
        if dtype not in ITEM_SIZES:
            raise Rejected(f"weights of other types than {', '.join(ITEM_SIZES)} are not accepted")
        numbers += math.prod(shape)
        expected += math.prod(shape) * ITEM_SIZES[dtype]
    if expected > cap:
        raise Rejected(f"the weights have {expected} bytes, at most {cap} are allowed")
    size = size_of(message.fd, cap)
    if size != expected:
        raise Rejected(f"the weights have {size} bytes, their shapes say {expected}")
    return Weights(message.fields, sealed("weights", [read(message.fd, size)]), numbers, size)


def _finite(value: Any) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _ending(code: int | None) -> str:
    if code is None:
        return "its connection"
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
