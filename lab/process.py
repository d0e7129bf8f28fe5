"""Process trees: what they have used, and how to end all of them.

Why not `Popen.kill` or `killpg`: a process that forked twice and left its group survives both. The
referee makes itself the *subreaper*, so that whatever a box leaves behind becomes its own child, and
ends children until there are none. Linux reads /proc; elsewhere `ps` gives the same, more slowly.

/proc counts CPU time in ticks of a hundredth of a second and shows a child that worked for less as one that did
nothing, so Linux is asked for the clock of every process; the time of its dead children is only told in ticks,
and is taken for as much as it can be.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.errors import LabError

LINUX = sys.platform.startswith("linux")
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CPU_CLOCK = 2  # the clock of a process that counts what it used on a processor, as the kernel numbers it


@dataclass(frozen=True)
class Process:
    """A line of the process table."""

    pid: int
    parent: int
    state: str  # Z is dead, but not yet waited for
    own_seconds: float  # CPU time of this process
    reaped_seconds: float  # CPU time of its dead children, at most
    started: str  # tells it from a later process with the same pid


def processes() -> dict[int, Process]:
    """All processes by pid."""
    return _from_proc() if LINUX else _from_ps()


def tree(root: int, table: dict[int, Process]) -> list[Process]:
    """The process `root` and everything that descends from it, `root` first."""
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        if pid in table:
            found.append(table[pid])
            queue.extend(children.get(pid, ()))
    return found


def become_subreaper() -> None:
    """From now on, orphans below this process become its children (Linux only).

    They may not be ignored, as whoever started this process may have set: ignored children leave no trace.
    """
    if LINUX:
        if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            ctypes.CDLL(None).signal(signal.SIGCHLD, 0)  # not by Python, which does it in the main thread only
        _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """End this process when `parent` dies (Linux only); at once if it already did."""
    if LINUX:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def watch_parent(on_death: Callable[[], None]) -> None:
    """Call `on_death` in a thread once the parent of this process is gone. Works everywhere."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        on_death()

    threading.Thread(target=watch, daemon=True, name="parent").start()


class Tree:
    """A child process and all that came out of it, wherever the kernel has put it since."""

    def __init__(self, root: int, spared: set[int]) -> None:
        """`spared` are other children of this process; what descends from them does not count.

        Nor do children that were there before: whoever calls the lab from Python may have some.
        """
        me = os.getpid()
        self.root, self._spared = root, spared
        self._before = {(p.pid, p.started) for p in processes().values() if p.parent == me and p.pid != root}

    def members(self) -> list[Process]:
        """All of it that is in the process table, dead ones that nobody waited for included."""
        table, me = processes(), os.getpid()
        children = [p for p in table.values() if p.parent == me and p.pid != self.root] if LINUX else []
        before = {p.pid for p in children if (p.pid, p.started) in self._before}
        others = {process.pid for pid in before | self._spared - {self.root} for process in tree(pid, table)}
        orphans = [p.pid for p in children if p.pid not in others]
        found = {p.pid: p for root in (self.root, *orphans) for p in tree(root, table)}
        return [process for pid, process in found.items() if pid not in others]

    def end(self, seconds: float = 10.0) -> None:
        """Kill everything and wait until nothing is left.

        Raises LabError if something is still alive after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while members := self.members():
            for process in members:
                _signal(process.pid, signal.SIGKILL)
            for process in members:
                _reap(process.pid)
            if time.monotonic() > deadline:
                pids = ", ".join(str(process.pid) for process in members[:5])
                raise LabError(f"processes {pids} of a box do not die; end them before measuring again")
            time.sleep(0.001)


def exit_code(pid: int) -> int | None:
    """How the child `pid` ended (negative: the signal that killed it), None while it runs. Leaves it there."""
    try:
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def peak_memory_mb(pid: int) -> float | None:
    """The most memory that a process of the tree of `pid` ever held, MB; None where the system does not tell."""
    held = [_held_mb(process.pid) for process in tree(pid, processes())] if LINUX else []
    return max(held, default=0.0) or None


def _held_mb(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0.0


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise LabError(f"prctl({option}) failed: {os.strerror(ctypes.get_errno())}")


def _from_proc() -> dict[int, Process]:
    tick, table = os.sysconf("SC_CLK_TCK"), {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                line = file.read(1024)
        except OSError:
            continue
        f = line[line.rindex(b")") + 2 :].split()
        own, reaped = _clock(int(name), (int(f[11]) + int(f[12])) / tick), (int(f[13]) + int(f[14]) + 2) / tick
        table[int(name)] = Process(int(name), int(f[1]), f[0].decode(), own, reaped, f[19].decode())
    return table


def _clock(pid: int, known: float) -> float:
    """CPU time of all threads of a process, dead or alive, to the nanosecond; `known` if it is gone by now."""
    try:
        return time.clock_gettime(~pid << 3 | CPU_CLOCK)
    except OSError:
        return known


def _from_ps() -> dict[int, Process]:
    output = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,state=,time=,lstart="], capture_output=True, text=True, check=True
    ).stdout
    table = {}
    for line in output.splitlines():
        pid, parent, state, used, started = line.split(None, 4)
        seconds = 0.0
        for part in used.replace("-", ":").split(":"):
            seconds = seconds * 60 + float(part)
        table[int(pid)] = Process(int(pid), int(parent), state[0], seconds, 0.0, started)
    return table
