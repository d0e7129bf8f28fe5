"""Rewriting train.py by syntax: find nodes, replace their text, keep every other character.

What: `Code` holds a source with its tree and queues replacements of nodes, statements and constants; `NoFit` says that
an edit does not apply. Why: an edit located by syntax survives the edits that ran before it, and its diff looks as if
a person had made it. How to extend: add a query or an operation that edits of several families need.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterator, Sequence

from council import syntax

Function = ast.FunctionDef


class NoFit(Exception):
    """The code does not have what this edit changes, or has the change already."""


class Code:
    """A source, its tree, and the changes queued on it. Nodes are valid until the next `commit`."""

    def __init__(self, source: str, device: str = "cpu") -> None:
        self.device = device
        self._load(source)

    def _load(self, source: str) -> None:
        self.source, self._queue = source, list[tuple[int, int, str]]()
        self.tree = syntax.parse(source)

    # Looking

    def find(self, kind: type[ast.AST], test: Callable[[ast.AST], bool], within: ast.AST | None = None) -> list:
        """All nodes of a kind that pass the test, in order of appearance."""
        nodes = [node for node in ast.walk(within or self.tree) if isinstance(node, kind) and test(node)]
        return sorted(nodes, key=lambda node: (node.lineno, node.col_offset))

    def one(self, kind: type[ast.AST], test: Callable[[ast.AST], bool], within: ast.AST | None = None) -> ast.AST:
        """The only node of a kind that passes the test; NoFit if there is none, or more than one."""
        nodes = self.find(kind, test, within)
        if len(nodes) != 1:
            raise NoFit
        return nodes[0]

    def written(self, text: str, within: ast.AST | None = None) -> ast.AST:
        """The only expression that reads like `text`, whatever its spaces and quotes."""
        return self.one(ast.expr, lambda node: ast.unparse(node) == text, within)

    def top(self, name: str, kind: type[ast.AST] = Function) -> ast.AST:
        """The top-level function or class of a name."""
        return self._named(self.tree.body, name, kind)

    def method(self, owner: str, name: str) -> ast.AST:
        """A method of a top-level class."""
        return self._named(self.top(owner, ast.ClassDef).body, name, Function)

    @staticmethod
    def _named(body: Sequence[ast.stmt], name: str, kind: type[ast.AST]) -> ast.AST:
        found = [node for node in body if isinstance(node, kind) and node.name == name]
        if len(found) != 1:
            raise NoFit
        return found[0]

    def calls(self, name: str, within: ast.AST | None = None) -> list[ast.Call]:
        """All calls of a function or method by the last part of its name."""
        return self.find(ast.Call, lambda node: last_name(node.func) == name, within)

    def call(self, name: str, within: ast.AST | None = None) -> ast.Call:
        """The only call of a name."""
        calls = self.calls(name, within)
        if len(calls) != 1:
            raise NoFit
        return calls[0]

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement a node stands in."""
        holding = self.find(ast.stmt, lambda outer: any(inner is node for inner in ast.walk(outer)))
        return holding[-1]

    def assignment(self, target: str, within: ast.AST) -> ast.stmt:
        """The only statement in `within` that assigns to `target`, alone or among others."""

        def sets(node: ast.AST) -> bool:
            return any(ast.unparse(part) == target for goal in node.targets for part in elements(goal))

        return self.one(ast.Assign, sets, within)

    def text(self, node: ast.AST) -> str:
        start, end = syntax.span(self.source, node)
        return self.source[start:end]

    def uses(self, name: str) -> bool:
        """True if any name or attribute of the code is called `name`."""
        return any(last_name(node) == name for node in ast.walk(self.tree))

    # Changing

    def describe(self, node: ast.AST, text: str) -> None:
        """Replace the docstring of a function or class, if it has one."""
        if ast.get_docstring(node) is not None:
            self.replace(node.body[0].value, f'"""{text}"""')

    def replace(self, node: ast.AST, text: str) -> None:
        """Replace the text of an expression or statement."""
        self._queue.append((*syntax.span(self.source, node), text))

    def drop(self, *statements: ast.stmt | ast.expr) -> None:
        """Delete whole lines: statements, list entries, and with a function the blank lines after it."""
        for node in statements:
            first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
            start, end = self._line(first), self._line(node.end_lineno + 1)
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
        at = self._line(node.end_lineno + 1)
        self._queue.append((at, at, self._indented(node, text)))

    def argument(self, call: ast.Call, text: str) -> None:
        """Add a last argument to a call."""
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        self.append(given, call, text)

    def append(self, items: Sequence[ast.AST], holder: ast.AST, text: str) -> None:
        """Add one more item to a list, tuple or call."""
        if items:
            _, at = syntax.span(self.source, items[-1])
            self._queue.append((at, at, f", {text}"))
        else:
            _, end = syntax.span(self.source, holder)
            self._queue.append((end - 1, end - 1, text))

    def remove_item(self, items: Sequence[ast.AST], index: int) -> None:
        """Remove one of the items of a list, tuple, call or parameter list, with its comma."""
        spans = [syntax.span(self.source, item) for item in items]
        if index > 0:
            self._queue.append((spans[index - 1][1], spans[index][1], ""))
        else:
            end = spans[1][0] if len(spans) > 1 else spans[0][1]
            self._queue.append((spans[0][0], end, ""))

    def forget(self, parameter: str) -> None:
        """Take a parameter out of every function that has it and every call that passes a name like it. Commits."""
        for function in self.find(Function, lambda node: any(a.arg == parameter for a in node.args.args)):
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
        anchor = next((node for node in self.tree.body if sets_name(node, after)), None)
        if self.uses(name):
            raise NoFit
        if anchor is None:
            known = syntax.slots(self.source)
            anchor = next((node for node in reversed(self.tree.body) if any(sets_name(node, k) for k in known)), None)
        if anchor is None:
            raise NoFit
        self.after(anchor, f"{name} = {value}  # {comment}")

    def explain(self, name: str, comment: str) -> None:
        """Replace the comment behind a constant."""
        for node in self.tree.body:
            if sets_name(node, name):
                start = syntax.span(self.source, node)[1]
                end = self._line(node.end_lineno + 1)
                self._queue.append((start, end, f"  # {comment}\n"))

    def drop_constant(self, name: str) -> None:
        """Delete a constant at the top and in every table of a device. Commits."""
        self.drop(*[node for node in self.tree.body if sets_name(node, name)])
        for table in self.find(ast.Dict, lambda node: any(is_text(key, name) for key in node.keys)):
            self._drop_key(table, next(at for at, key in enumerate(table.keys) if is_text(key, name)))
        self.commit()

    def _drop_key(self, table: ast.Dict, index: int) -> None:
        """Delete an entry of a dictionary: its line if it has one to itself, else from the entry before to its end."""
        key, value = table.keys[index], table.values[index]
        if [table.lineno, table.end_lineno, *(k.lineno for k in table.keys if k)].count(key.lineno) == 1:
            self._queue.append((self._line(key.lineno), self._line(value.end_lineno + 1), ""))
        elif index > 0:
            start = syntax.span(self.source, table.values[index - 1])[1]
            self._queue.append((start, syntax.span(self.source, value)[1], ""))
        else:
            following = table.keys[1:2] or [None]
            end = syntax.span(self.source, following[0] or value)[0 if following[0] else 1]
            self._queue.append((syntax.span(self.source, key)[0], end, ""))

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
