"""Rewriting train.py by syntax: find nodes, replace their text, keep every other character.

What: `Code` holds a source with its tree and queues replacements of nodes, statements and constants; `NoFit` says that
an edit does not apply. Why: an edit located by syntax survives the edits that ran before it, and its diff looks as if
a person had made it. How to extend: add a query or an operation that edits of several families need.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from council import syntax

Node = TypeVar("Node", bound=ast.AST)


class NoFit(Exception):
    """The code does not have what this edit changes, or has the change already."""


class Code:
    """A source, its tree, and the changes queued on it. Nodes are valid until the next `commit`."""

    def __init__(self, source: str, device: str = "cpu") -> None:
        self.device = device
        self._load(source)

    def _load(self, source: str) -> None:
        syntax.parse(source)
        self.source, self._queue = source, list[tuple[int, int, str]]()
        self._nodes: tuple[ast.AST, ...] = ()

    @property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of the present tree, the same objects until the next `commit`."""
        self._nodes = self._nodes or syntax.nodes(self.source)
        return self._nodes

    @property
    def body(self) -> list[ast.stmt]:
        """The statements at the top level."""
        root = self.nodes[0]
        return root.body if isinstance(root, ast.Module) else []

    # Looking

    def find(self, kind: type[Node], test: Callable[[Node], bool], within: ast.AST | None = None) -> list[Node]:
        """All nodes of a kind that pass the test, in order of appearance."""
        among = ast.walk(within) if within else self.nodes
        nodes = [node for node in among if isinstance(node, kind) and test(node)]
        return sorted(nodes, key=_position)

    def one(self, kind: type[Node], test: Callable[[Node], bool], within: ast.AST | None = None) -> Node:
        """The only node of a kind that passes the test; NoFit if there is none, or more than one."""
        return _only(self.find(kind, test, within))

    def written(self, text: str, within: ast.AST | None = None) -> ast.expr:
        """The only expression that reads like `text`, whatever its spaces and quotes."""
        return self.one(ast.expr, lambda node: ast.unparse(node) == text, within)

    def function(self, name: str, owner: ast.ClassDef | None = None) -> ast.FunctionDef:
        """The function of a name at the top level, or the method of a class."""
        body = self.body if owner is None else owner.body
        return _only([node for node in body if isinstance(node, ast.FunctionDef) and node.name == name])

    def klass(self, name: str) -> ast.ClassDef:
        """The top-level class of a name."""
        return _only([node for node in self.body if isinstance(node, ast.ClassDef) and node.name == name])

    def method(self, owner: str, name: str) -> ast.FunctionDef:
        """A method of a top-level class."""
        return self.function(name, self.klass(owner))

    def calls(self, name: str, within: ast.AST | None = None) -> list[ast.Call]:
        """All calls of a function or method by the last part of its name."""
        return self.find(ast.Call, lambda node: last_name(node.func) == name, within)

    def call(self, name: str, within: ast.AST | None = None) -> ast.Call:
        """The only call of a name."""
        return _only(self.calls(name, within))

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement a node stands in."""
        line = getattr(node, "lineno", 0)
        near = self.find(ast.stmt, lambda outer: outer.lineno <= line <= last_line(outer))
        return [outer for outer in near if any(inner is node for inner in ast.walk(outer))][-1]

    def assignment(self, target: str, within: ast.AST) -> ast.Assign:
        """The only statement in `within` that assigns to `target`, alone or among others."""

        def sets(node: ast.Assign) -> bool:
            return any(ast.unparse(part) == target for goal in node.targets for part in elements(goal))

        return self.one(ast.Assign, sets, within)

    def text(self, node: syntax.Placed) -> str:
        start, end = syntax.span(self.source, node)
        return self.source[start:end]

    def uses(self, name: str) -> bool:
        """True if any name or attribute of the code is called `name`."""
        return any(last_name(node) == name for node in self.nodes)

    # Changing

    def describe(self, node: ast.FunctionDef | ast.ClassDef, text: str) -> None:
        """Replace the docstring of a function or class, if it has one."""
        first = node.body[0]
        if isinstance(first, ast.Expr) and ast.get_docstring(node) is not None:
            self.replace(first.value, f'"""{text}"""')

    def replace(self, node: syntax.Placed, text: str) -> None:
        """Replace the text of an expression or statement."""
        self._queue.append((*syntax.span(self.source, node), text))

    def drop(self, *statements: ast.stmt | ast.expr) -> None:
        """Delete whole lines: statements, list entries, and with a function the blank lines after it."""
        for node in statements:
            first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
            start, end = self._line(first), self._line(last_line(node) + 1)
            while isinstance(node, (ast.FunctionDef, ast.ClassDef)) and self.source[end : end + 1] == "\n":
                end += 1
            self._queue.append((start, end, ""))

    def before(self, node: ast.stmt, text: str) -> None:
        """Insert lines before a statement, at its indentation; two blank lines follow a function or class."""
        first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
        at = self._line(first)
        self._queue.append((at, at, self._indented(node, text)))

    def after(self, node: ast.stmt, text: str) -> None:
        """Insert lines after a statement, at its indentation."""
        at = self._line(last_line(node) + 1)
        self._queue.append((at, at, self._indented(node, text)))

    def argument(self, call: ast.Call, text: str) -> None:
        """Add a last argument to a call."""
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        self.append(given, call, text)

    def append(self, items: Sequence[syntax.Placed], holder: syntax.Placed, text: str) -> None:
        """Add one more item to a list, tuple or call."""
        if items:
            _, at = syntax.span(self.source, items[-1])
            self._queue.append((at, at, f", {text}"))
        else:
            _, end = syntax.span(self.source, holder)
            self._queue.append((end - 1, end - 1, text))

    def remove_item(self, items: Sequence[syntax.Placed], index: int) -> None:
        """Remove one of the items of a list, tuple, call or parameter list, with its comma."""
        spans = [syntax.span(self.source, item) for item in items]
        if index > 0:
            self._queue.append((spans[index - 1][1], spans[index][1], ""))
        else:
            end = spans[1][0] if len(spans) > 1 else spans[0][1]
            self._queue.append((spans[0][0], end, ""))

    def forget(self, parameter: str) -> None:
        """Take a parameter out of every function that has it and every call that passes a name like it. Commits."""
        for function in self.find(ast.FunctionDef, lambda node: any(a.arg == parameter for a in node.args.args)):
            names = [argument.arg for argument in function.args.args]
            self.remove_item(function.args.args, names.index(parameter))
        for call in self.find(ast.Call, lambda node: any(is_name(a, parameter) for a in node.args)):
            self.remove_item(call.args, next(at for at, item in enumerate(call.args) if is_name(item, parameter)))
        self.commit()

    def _line(self, number: int) -> int:
        """Where a line starts, counted from one."""
        return sum(map(len, syntax.lines(self.source)[: number - 1]))

    def _indented(self, node: ast.stmt, text: str) -> str:
        return textwrap.indent(textwrap.dedent(text).strip("\n") + "\n", " " * node.col_offset) + (
            "\n\n" if node.col_offset == 0 and text.lstrip().startswith(("def ", "class ", "@")) else ""
        )

    # Constants

    def constant(self, name: str) -> float:
        """The value of a constant on this device."""
        values = syntax.constants(self.source, self.device)
        if name not in values:
            raise NoFit
        return values[name]

    def set_constant(self, name: str, value: float) -> None:
        """Set a constant where this device reads it. Commits."""
        if self.constant(name) == value:
            raise NoFit
        self.commit()
        self._load(syntax.with_constant(self.source, name, value, self.device))

    def new_constant(self, name: str, value: str, comment: str, after: str) -> None:
        """Add a constant below another one."""
        anchor = next((node for node in self.body if sets_name(node, after)), None)
        if self.uses(name):
            raise NoFit
        if anchor is None:
            known = syntax.slots(self.source)
            anchor = next((node for node in reversed(self.body) if any(sets_name(node, k) for k in known)), None)
        if anchor is None:
            raise NoFit
        self.after(anchor, f"{name} = {value}  # {comment}")

    def explain(self, name: str, comment: str) -> None:
        """Replace the comment behind a constant."""
        for node in self.body:
            if sets_name(node, name):
                start = syntax.span(self.source, node)[1]
                end = self._line(last_line(node) + 1)
                self._queue.append((start, end, f"  # {comment}\n"))

    def drop_constant(self, name: str) -> None:
        """Delete a constant at the top and in every table of a device. Commits."""
        self.drop(*[node for node in self.body if sets_name(node, name)])
        for table in self.find(ast.Dict, lambda node: any(is_text(key, name) for key in node.keys)):
            self._drop_key(table, next(at for at, key in enumerate(table.keys) if is_text(key, name)))
        self.commit()

    def _drop_key(self, table: ast.Dict, index: int) -> None:
        """Delete an entry of a dictionary: its line if it has one to itself, else from the entry before to its end."""
        keys, value = [key for key in table.keys if key is not None], table.values[index]
        key = table.keys[index]
        if key is None or len(keys) != len(table.keys):
            raise NoFit
        if [table.lineno, table.end_lineno, *(other.lineno for other in keys)].count(key.lineno) == 1:
            self._queue.append((self._line(key.lineno), self._line(last_line(value) + 1), ""))
            return
        start, end = syntax.span(self.source, key)[0], syntax.span(self.source, value)[1]
        if index > 0:
            start = syntax.span(self.source, table.values[index - 1])[1]
        elif len(keys) > 1:
            end = syntax.span(self.source, keys[1])[0]
        self._queue.append((start, end, ""))

    # Ending

    def commit(self) -> None:
        """Apply what is queued and read the result again; NoFit if two changes overlap or it is no longer Python."""
        if not self._queue:
            return
        source, at = [], 0
        for start, end, text in sorted(self._queue, key=lambda change: change[:2]):
            if start < at:
                raise NoFit
            source += [self.source[at:start], text]
            at = end
        try:
            self._load("".join([*source, self.source[at:]]))
        except syntax.Unparsable:
            raise NoFit from None


def _only(found: list[Node]) -> Node:
    if len(found) != 1:
        raise NoFit
    return found[0]


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def last_line(node: syntax.Placed) -> int:
    return node.end_lineno or node.lineno


def last_name(node: ast.AST) -> str:
    """`square` of `a.b.square`, `norm` of `norm`, else nothing."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def mentions(node: ast.AST, names: set[str]) -> bool:
    """True if one of the names occurs in the node, as a variable or an attribute."""
    return any(last_name(inner) in names for inner in ast.walk(node))


def is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def is_text(node: ast.AST | None, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def elements(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a target: itself, or what a tuple holds."""
    if isinstance(node, (ast.Tuple, ast.List)):
        yield from node.elts
    else:
        yield node


def sets_name(node: ast.AST, name: str) -> bool:
    """True for a statement that assigns to a plain name."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(is_name(part, name) for target in targets for part in elements(target))
