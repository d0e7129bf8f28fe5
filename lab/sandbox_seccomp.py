"""Makes the tables of `sandbox_calls.py` a seccomp filter, in the kernel's own bytes.

Why by hand: a filter is a list of instructions of eight bytes, which needs no library and no compiler where
it is set. A number is compared with every call that this box may not make; then come those whose arguments
decide. `program` works for the architectures in `MACHINES`; any other is refused.

    program(("every", "score", "cpu", "bwrap"))
"""

import os
import struct
from collections.abc import Iterable

from lab.errors import LabError
from lab.sandbox_calls import CHILD_ENDED, ENOSYS, EPERM, FORBIDDEN, MACHINES, NOT_THERE, RULES, SEEN, Rule, own_rules

X32 = 0x40000000  # set in the number of a call of the x32 kind, a second door to the same calls
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data; arguments are 8 bytes each from 16 on
_WHOLE = 0xFFFFFFFF


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def program(traits: Iterable[str], machine: str = "", own_pid: int = 0) -> bytes:
    """The filter of a box with these traits, for `machine` (this one).

    With `own_pid`, that process may signal nobody but itself. Raises LabError for an architecture without a table.
    """
    machine, traits = machine or os.uname().machine, frozenset(traits)
    if machine not in MACHINES:
        raise LabError(f"there is no table of system calls for {machine}; known: {', '.join(MACHINES)}")
    audit, column = MACHINES[machine]
    code = _op(_LOAD, _ARCHITECTURE) + _op(_EQUAL, audit, 1, 0) + _op(_RETURN, KILL) + _op(_LOAD, _NUMBER)
    if machine == "x86_64":
        code += _op(_AT_LEAST, X32, 0, 1) + _op(_RETURN, ERRNO | ENOSYS)
    calls = [call for trait, calls in FORBIDDEN.items() if trait in traits for call in calls.items()]
    for name, numbers in calls:
        if numbers[column] >= 0:
            code += _op(_EQUAL, numbers[column], 0, 1) + _refuse(name)
    for rule in (*RULES, *own_rules(own_pid)):
        if rule.to in traits and SEEN[rule.call][column] >= 0:
            code += _look(SEEN[rule.call][column], rule)
    if "cpu" in traits:
        code += _keep_children(SEEN["rt_sigaction"][column])
    return code + _op(_RETURN, ALLOW)


def _refuse(name: str) -> bytes:
    return _op(_RETURN, ERRNO | (ENOSYS if name in NOT_THERE else EPERM))


def _argument(index: int, high: bool = False) -> bytes:
    return _op(_LOAD, 16 + 8 * index + 4 * high)


def _look(number: int, rule: Rule) -> bytes:
    """Refuse a call by the low half of an argument."""
    load = _argument(rule.argument) + (_op(_AND, rule.mask) if rule.mask != _WHOLE else b"")
    tests, refuse, go_on = len(rule.values), _refuse(rule.call), _op(_LOAD, _NUMBER)
    if rule.among:  # the last test that fails skips the refusal
        hits = [_op(_EQUAL, value, tests - index, 0) for index, value in enumerate(rule.values[:-1], start=1)]
        body = load + b"".join(hits) + _op(_EQUAL, rule.values[-1], 0, 1) + refuse + go_on
    else:
        hits = [_op(_EQUAL, value, tests - index, 0) for index, value in enumerate(rule.values)]
        body = load + b"".join(hits) + refuse + go_on
    return _op(_EQUAL, number, 0, len(body) // 8) + body


def _keep_children(number: int) -> bytes:
    """What is done when a child ends may be read and not set: ignored children die without a trace of their time."""
    body = _argument(0) + _op(_EQUAL, CHILD_ENDED, 0, 5)
    body += _argument(1) + _op(_EQUAL, 0, 0, 2) + _argument(1, high=True) + _op(_EQUAL, 0, 1, 0)
    body += _op(_RETURN, ERRNO | EPERM) + _op(_LOAD, _NUMBER)
    return _op(_EQUAL, number, 0, len(body) // 8) + body
