"""The referee runs no edited code and unpickles nothing, whatever the boxes send."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

from tests.lab.helpers import ROOT, tiny

WATCHED = """
import json, sys
seen = []
def hook(event, args):
    if event == "pickle.find_class":
        seen.append(event)
    elif event == "exec" and getattr(args[0], "co_filename", "") == "train.py":
        seen.append("exec train.py")
    elif event == "import" and args[0] in ("train", "lab.train", "lab.box", "lab.bench"):
        seen.append("import " + args[0])
import lab.referee
sys.addaudithook(hook)
from lab.referee import Request, measure
result = measure(Request(sys.stdin.buffer.read(), budget=10.0, steps=3))
print(json.dumps([result.status, seen]))
"""


def reached(module: str) -> set[str]:
    """The modules of the lab that come with `module`, from what their sources say."""
    found, queue = set(), [module]
    while queue:
        name = queue.pop()
        file = ROOT / f"{name.replace('.', '/')}.py"
        if name in found or not file.exists():
            continue
        found.add(name)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lab":
                queue += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                queue += [alias.name for alias in node.names if alias.name.startswith("lab.")]
    return found


def test_nothing_that_runs_or_unpickles_code_is_within_the_referees_reach() -> None:
    modules = reached("lab.referee")
    assert {"lab.scoring", "lab.training", "lab.evaluation", "lab.memory"} <= modules
    assert not modules & {"lab.box", "lab.bench", "lab.train"}
    for name in modules:
        tree = ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text())
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.split(".")[0] for n in names} & {"pickle", "marshal", "shelve", "runpy"}, (name, names)
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("exec", "eval", "compile", "__import__"), (name, called)
            assert called.split(".")[-1] not in ("exec_module", "load", "load_module"), (name, called)


def test_while_it_measures_it_runs_no_edited_code_and_unpickles_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], input=tiny(), cwd=ROOT, capture_output=True, timeout=120, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == ["ok", []]
