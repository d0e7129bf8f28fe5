"""What a box may read: an allow-list of paths, and what is covered inside them.

Why an allow-list and not the root: held-out text lies on the disk as a copy in every environment that has
sympy, keys lie in homes, and nobody can list all the places. A box gets the loader and compiler of the
system, the standard library, and the packages that torch requires. Of sympy it gets what can be imported
while torch compiles; the folders that may be held out (see `corpus.py`) are covered as a whole.

To let a box see more, add to `readable`; the self-test then looks for held-out text there too.
"""

import importlib.util
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from lab.corpus import HIDDEN_FOLDERS

PACKAGES = ("torch", "numpy", "tqdm")  # with all that they require; torch uses tqdm if it is there
LAB = Path(__file__).resolve().parent
LINKER_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives")
SYSTEM_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM = ("/usr/bin", "/usr/include", "/usr/lib32", "/usr/lib64", "/usr/lib/gcc", "/usr/libexec/gcc")
FOREIGN = re.compile(r"(site|dist)-packages")  # packages of the system: other copies of sympy may be among them


@dataclass(frozen=True)
class Layout:
    """Readable files and folders, and the folders inside them that a box sees empty."""

    readable: tuple[Path, ...]  # outer before inner; a path may be a symbolic link, its target is meant
    covered: tuple[Path, ...]
    emptied: tuple[Path, ...]  # covered as well, but something readable lies inside
    links: tuple[tuple[str, str], ...]  # (name, target) of the links in the root, /lib → usr/lib


@cache
def layout(device: str = "cpu") -> Layout:
    """What a box on this machine may read. Raises LabError through `hidden_folders` if there is no sympy."""
    system = [Path(name) for name in (*SYSTEM, *_library_folders(), *LINKER_FILES)]
    system += [Path(name) for name in SYSTEM_LINKS if not os.path.islink(name)]
    if device == "cuda":
        system += sorted(Path("/usr/local").glob("cuda*"))
    readable = [path for path in system if path.exists()]
    foreign = [path for root in (*readable, _stdlib()) for path in _foreign(root)]
    readable += [*_interpreter(), *_packages(), LAB]
    readable = sorted({path for path in readable if path.exists()}, key=lambda path: len(path.parts))
    emptied = [path for path in foreign if any(_inside(inner, path) for inner in readable)]
    covered = [path for path in foreign if path not in emptied]
    links = tuple((name, os.readlink(name)) for name in SYSTEM_LINKS if os.path.islink(name))
    return Layout(tuple(readable), (*covered, *hidden_folders()), tuple(emptied), links)


@cache
def hidden_folders() -> tuple[Path, ...]:
    """The folders of the installed sympy in which documents may be held out."""
    found = importlib.util.find_spec("sympy")
    if found is None or not found.submodule_search_locations:
        return ()
    root = Path(next(iter(found.submodule_search_locations)))
    hidden = []
    for folder, names, _ in os.walk(root):
        inner = [name for name in names if name == "tests" or (folder == str(root) and name in HIDDEN_FOLDERS)]
        hidden += [Path(folder, name) for name in inner]
        names[:] = [name for name in names if name not in inner and name != "__pycache__"]
    return tuple(sorted(hidden))


def grants(layout: Layout) -> Iterator[Path]:
    """The readable paths without the covered ones: a folder that holds a covered one is given by its parts."""
    closed = {str(path) for path in (*layout.covered, *layout.emptied)}
    above = {str(parent) for path in closed for parent in Path(path).parents}
    for path in layout.readable:
        yield from _split(str(path), closed, above)


def _split(path: str, closed: set[str], above: set[str]) -> Iterator[Path]:
    if path in closed:
        return
    if path not in above or not os.path.isdir(path):
        yield Path(path)
        return
    for name in sorted(os.listdir(path)):
        yield from _split(os.path.join(path, name), closed, above)


def _inside(inner: Path, outer: Path) -> bool:
    return outer in inner.parents


def _library_folders() -> list[str]:
    """Where shared libraries lie: Debian has a folder per architecture, others only /usr/lib."""
    multiarch = sysconfig.get_config_var("MULTIARCH")
    folder = f"/usr/lib/{multiarch}" if multiarch else ""
    return [folder] if folder and os.path.isdir(folder) else ["/usr/lib"]


def _foreign(root: Path) -> Iterator[Path]:
    """Package folders of any Python in a folder of the system."""
    folders = [folder for folder in (root, *root.glob("python*")) if folder.is_dir()]
    for folder in folders if root.name.startswith(("lib", "python")) else ():
        yield from (path for path in folder.iterdir() if FOREIGN.fullmatch(path.name) and path.is_dir())


def _stdlib() -> Path:
    return Path(os.path.realpath(sysconfig.get_path("stdlib")))


def _interpreter() -> list[Path]:
    """The executable as it was called and as it is, the standard library, the shared library, the headers."""
    executable, base = Path(sys.executable), Path(sys.base_prefix)
    real = Path(os.path.realpath(executable))
    named = Path(sysconfig.get_path("stdlib"))
    library = sysconfig.get_config_var("INSTSONAME") or ""
    folder = sysconfig.get_config_var("LIBDIR") or str(base / "lib")
    paths = [executable, real, named, _stdlib(), Path(sys.prefix, "pyvenv.cfg"), Path(folder, library)]
    paths += [Path(getattr(sys, "_base_executable", sys.executable))]
    headers = Path(sysconfig.get_path("include"))  # torch.compile builds modules
    return [path for path in [*paths, headers] if path.is_file() or path in (named, _stdlib(), headers)]


def _packages() -> Iterator[Path]:
    """Top-level files and folders of `PACKAGES` and of everything they require."""
    wanted, seen = list(PACKAGES), set[str]()
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # required on another platform only
        wanted += [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in found.requires or () if "extra ==" not in text]
        keep_metadata = name in PACKAGES
        for top in _top_level(found):
            if top.endswith(".dist-info") and not keep_metadata or top.endswith(".pth"):
                continue
            yield Path(str(found.locate_file(top)))


def _top_level(distribution: metadata.Distribution) -> set[str]:
    """What an installed distribution put into its packages folder."""
    record = distribution.read_text("RECORD") or ""
    tops = {line.split(",", 1)[0].split("/", 1)[0].strip('"') for line in record.splitlines()}
    return {top for top in tops if top not in ("", "..", "__pycache__")}
