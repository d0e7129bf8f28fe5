"""Reading train.py as syntax, without running it.

What: the upper-case constants of a source and how to set one, a fingerprint that ignores comments and layout, calls
that seed something, the functions a source defines. Why: the guard, the brief and the built-in members all need to
know what a text says before anything executes it. How to extend: add a pure function from a source to plain data that
goes through `parse`, so that text which cannot be read always fails as `Unparsable`. Only the standard library's `ast`.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping

SEEDERS = frozenset({"seed", "manual_seed", "manual_seed_all", "set_rng_state", "default_rng"})
"""Names whose call decides what chance does."""

_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*\Z")
_LINE = re.compile(r".*?(?:\r\n|\n|\r|\Z)", re.DOTALL)
_SHOWN = 100
_REMEMBERED = 2000
_LARGEST = 2**63
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
}


class Unparsable(ValueError):
    """The text is not Python. `line` is where it stops making sense, None where that cannot be said."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.message = message
        self.line = line


@functools.lru_cache(maxsize=16)
def parse(source: str) -> ast.Module:
    """The tree of a source, shared by all who ask: read it, never change it.

    Raises Unparsable for anything Python cannot read, however it fails.
    """
    if "\0" in source:
        raise Unparsable("the text holds a NUL byte", source.count("\n", 0, source.index("\0")) + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        raise Unparsable(error.msg or "invalid syntax", error.lineno) from None
    except ValueError:
        raise Unparsable("the text holds characters that are not valid Unicode") from None
    except (RecursionError, MemoryError):
        raise Unparsable("the text is nested too deeply") from None


@functools.lru_cache(maxsize=16)
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All nodes of the tree of a source, shared like it."""
    return tuple(ast.walk(parse(source)))


def number(node: ast.AST | None) -> float | None:
    """The value of a literal number or of arithmetic on literal numbers; None for anything else, a bool included."""
    try:
        value = _evaluate(node)
    except (ArithmeticError, ValueError, TypeError, RecursionError):
        return None
    return value if isinstance(value, (int, float)) and abs(value) < float("inf") else None


def _evaluate(node: ast.AST | None) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        value = _evaluate(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _evaluate(node.left), _evaluate(node.right)
        grows = isinstance(node.op, (ast.Pow, ast.LShift))
        if max(abs(left), abs(right)) > _LARGEST or grows and abs(right) > 64:
            raise ValueError("too large to be a setting")
        return _OPERATORS[type(node.op)](left, right)
    raise ValueError("not arithmetic on literals")


def slots(source: str, device: str = "cpu") -> dict[str, ast.expr]:
    """The expression behind every top-level upper-case number as `device` gets it.

    Of a name that is set twice the last counts. An entry of a table `ON_CUDA = {"DEPTH": 8}` stands above the value at
    the top for the device `cuda`, `ON_MPS` for `mps`, and so on: it is what that device runs with.
    """
    found: dict[str, ast.expr] = {}
    table: ast.expr | None = None
    for statement in parse(source).body:
        for name, value in _assigned(statement):
            if number(value) is not None:
                found[name] = value
            else:
                found.pop(name, None)
            if name == f"ON_{device.upper()}":
                table = value
    if isinstance(table, ast.Dict):
        for key, value in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and number(value) is not None:
                found[key.value] = value
    return found


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """The upper-case names a statement sets, each with its expression."""
    if isinstance(statement, ast.Assign):
        pairs = [pair for target in statement.targets for pair in _pairs(target, statement.value)]
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        pairs = [(statement.target, statement.value)]
    else:
        return
    for target, value in pairs:
        if isinstance(target, ast.Name) and _CONSTANT.match(target.id):
            yield target.id, value


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def constants(source: str, device: str = "cpu") -> dict[str, float]:
    """The upper-case numbers at the top level of a source as `device` gets them, in order of appearance."""
    values = {name: number(node) for name, node in slots(source, device).items()}
    return {name: value for name, value in values.items() if value is not None}


def with_constant(source: str, name: str, value: float, device: str = "cpu") -> str:
    """The source with one constant set where `device` reads it, all else untouched to the byte; an int stays one."""
    return with_constants(source, {name: value}, device)


def with_constants(source: str, values: Mapping[str, float], device: str = "cpu") -> str:
    """The source with several constants set at once."""
    known = slots(source, device)
    for name in values:
        if name not in known:
            raise KeyError(f"{name} is not a constant of this source")
    changes = {span(source, known[name]): literal(value, known[name]) for name, value in values.items()}
    for (start, end), text in sorted(changes.items(), reverse=True):
        source = source[:start] + text + source[end:]
    return source


def literal(value: float, like: ast.expr | None = None) -> str:
    """How to write a number, in the style of the expression it replaces: an int stays an int, 2**n stays a power."""
    if like is None or not isinstance(number(like), int):
        return repr(value if like is None else float(value))
    whole = round(value)
    base = like.left if isinstance(like, ast.BinOp) and isinstance(like.op, ast.Pow) else None
    if number(base) == 2 and whole > 0 and whole & (whole - 1) == 0:
        return f"2**{whole.bit_length() - 1}"
    return repr(whole)


Placed = ast.stmt | ast.expr | ast.arg
"""Nodes that know where they stand."""


def span(source: str, node: Placed) -> tuple[int, int]:
    """Where a node stands in its source, as character offsets. `ast` itself counts lines and UTF-8 bytes."""
    counted = lines(source)
    end = _offset(counted, node.end_lineno or node.lineno, node.end_col_offset or 0)
    return _offset(counted, node.lineno, node.col_offset), end


def lines(source: str) -> list[str]:
    """The lines of a source as `ast` counts them, ends kept. (`str.splitlines` also splits at form feeds and more.)"""
    return _LINE.findall(source)


def _offset(counted: list[str], line: int, column: int) -> int:
    before = sum(map(len, counted[: line - 1]))
    return before + len(counted[line - 1].encode()[:column].decode())


def fingerprint(source: str) -> str:
    """SHA-256 of what a source does, as far as syntax tells: comments, docstrings and layout do not count."""
    body, counted = parse(source).body, lines(source)
    try:
        inner = ",".join(_statement(statement, counted) for statement in body if not _idle(statement))
    except RecursionError:
        raise Unparsable("the text is nested too deeply") from None
    text = f"Module(body=[{inner}])" if body else "Module()"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_statements: dict[tuple[str, int, int | None], str] = {}
"""Canonical texts of statements at the top level by their lines and columns: versions of a file share most of them."""


def _statement(node: ast.stmt, counted: list[str]) -> str:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    key = ("".join(counted[first - 1 : node.end_lineno]), node.col_offset, node.end_col_offset)
    if key not in _statements:
        if len(_statements) >= _REMEMBERED:
            _statements.clear()
        _statements[key] = _canonical(node)
    return _statements[key]


def _canonical(value: object) -> str:
    """A text of a tree, the same for every version of Python: empty fields and statements without effect left out."""
    if isinstance(value, list):
        return f"[{','.join(_canonical(item) for item in value if not _idle(item))}]"
    if not isinstance(value, ast.AST):
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, ast.Constant):
        return f"Constant({_canonical(value.value)})"
    fields = [(name, item) for name, item in ast.iter_fields(value) if item is not None and item != []]
    inner = ",".join(f"{name}={_canonical(item)}" for name, item in fields)
    return f"{type(value).__name__}({inner})"


def _idle(item: object) -> bool:
    """True for a statement that does nothing: `pass`, a docstring, a lone literal."""
    return isinstance(item, ast.Pass) or isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)


def seeding(source: str) -> list[tuple[int, str]]:
    """Line and text of every use of a seeding function other than a call with exactly `bench.seed`.

    A function that is renamed on import, passed on or fetched by `getattr` counts too, for its calls cannot be seen.
    """
    tree = parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {id(call.func) for call in calls}
    found: list[ast.expr | ast.stmt] = [call for call in calls if _name(call.func) in SEEDERS and not _given_seed(call)]
    found += [call for call in calls if _name(call.func) == "getattr" and _fetches_seeder(call)]
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in called:
            if isinstance(node.ctx, ast.Load) and _name(node) in SEEDERS - {"seed"}:
                found.append(node)
        elif isinstance(node, ast.ImportFrom):
            found += [node for alias in node.names if alias.name in SEEDERS and alias.asname not in (None, alias.name)]
    places = {(node.lineno, node.col_offset, _shown(node)) for node in found}
    return [(line, text) for line, _, text in sorted(places)]


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _given_seed(call: ast.Call) -> bool:
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg is not None)]
    if len(given) != 1 or len(call.args) + len(call.keywords) != 1:
        return False
    argument = given[0]
    return isinstance(argument, ast.Attribute) and ast.unparse(argument) == "bench.seed"


def _fetches_seeder(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Constant) and argument.value in SEEDERS for argument in call.args)


def _shown(node: ast.AST) -> str:
    try:
        text = ast.unparse(node)
    except RecursionError:
        return "…"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def defines(source: str) -> set[str]:
    """Names of the functions defined at the top level of a source."""
    return {statement.name for statement in parse(source).body if isinstance(statement, ast.FunctionDef)}
