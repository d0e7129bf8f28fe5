"""SVG after rendering: colours become CSS variables, labels become titles, runs become links, sizes become fluid.

Why: the same chart must stand in a light page, a dark page and a file of its own. Everything passes an XML parser and
comes out again, so no text inside can open an element. How to extend: a new colour is a line in COLOURS and in DARK.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

COLOURS = {
    "paper": "#fffffe",
    "ink": "#1c2430",
    "muted": "#5f6b7a",
    "grid": "#e3e7ec",
    "band": "#dbe7f8",
    "best": "#2560c4",
    "keep": "#0f7f5a",
    "discard": "#8b95a5",
    "beyond": "#6f7a8b",
    "crash": "#c4371f",
    "rejected": "#a65d03",
    "void": "#77608f",
    "replicate": "#2b63c7",
    "closing": "#0b7285",
    "baseline": "#3d4757",
    "back": "#8a3fb8",
}
"""Colours in the light; the names are those of the CSS variables, `--chart-NAME`."""

DARK = {
    "paper": "#14181f",
    "ink": "#e8ecf2",
    "muted": "#9aa6b5",
    "grid": "#2b323d",
    "band": "#1f3355",
    "best": "#7fb0ff",
    "keep": "#42c797",
    "discard": "#76818f",
    "beyond": "#97a3b2",
    "crash": "#ff8069",
    "rejected": "#f0a94a",
    "void": "#b8a0d2",
    "replicate": "#8ab4ff",
    "closing": "#58c4d6",
    "baseline": "#b7c1ce",
    "back": "#cf93f5",
}
"""The same in the dark."""

_SVG = "http://www.w3.org/2000/svg"
_NAMES = {value: name for name, value in COLOURS.items()}
_NOISE = ("aria-label", "aria-roledescription", "aria-hidden", "role", "pointer-events", "class", "stroke-miterlimit")
_USUAL = {"opacity": "1", "fill-opacity": "1", "stroke-opacity": "1"}
_LONG = re.compile(r"-?\d+\.\d{3,}")
ET.register_namespace("", _SVG)


def variables(indent: str = "") -> str:
    """The CSS variables, light and dark, for a stylesheet."""
    light = "".join(f"--chart-{name}:{value};" for name, value in COLOURS.items())
    dark = "".join(f"--chart-{name}:{value};" for name, value in DARK.items())
    return f"{indent}:root{{{light}}}\n{indent}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"


def finish(text: str, title: str, links: Mapping[int, str] | None = None) -> str:
    """A rendered chart, ready to stand inside a page. A label `17|text` becomes a title and, with `links`, a link."""
    root = ET.fromstring(text)
    for parent in list(root.iter()):
        for index, child in enumerate(list(parent)):
            label = child.get("aria-label", "") if child.get("role") == "graphics-symbol" else ""
            key, bar, said = label.partition("|")
            if bar and key.isdigit():
                ET.SubElement(child, f"{{{_SVG}}}title").text = said
                if links and (address := links.get(int(key))):
                    anchor = ET.Element(f"{{{_SVG}}}a", {"href": address})
                    anchor.append(child)
                    parent[index] = anchor
    for element in root.iter():
        for name in _NOISE:
            element.attrib.pop(name, None)
        for name in ("fill", "stroke"):
            if colour := _NAMES.get(element.get(name, "")):
                element.set(name, f"var(--chart-{colour})")
        for name, usual in _USUAL.items():
            if element.get(name) == usual:
                del element.attrib[name]
        for name in ("d", "transform"):
            if value := element.get(name):
                element.set(name, _LONG.sub(lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), value))
    _frame(root, title)
    return ET.tostring(root, encoding="unicode")


def alone(text: str) -> str:
    """A finished chart as a file of its own, with its colours inside."""
    head, _, rest = text.partition(">")
    paper = f"svg{{background:var(--chart-paper,{COLOURS['paper']})}}"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{variables()}{paper}</style>{rest}\n'


def _frame(root: ET.Element, title: str) -> None:
    """A name for those who cannot see it, and a size that follows the page."""
    root.set("role", "img")
    root.set("aria-label", title)
    width = root.attrib.pop("width", "")
    root.attrib.pop("height", None)
    root.attrib.pop("version", None)
    if len(root) and root[0].tag == f"{{{_SVG}}}rect" and "--chart-paper" in root[0].get("fill", ""):
        root.remove(root[0])  # the page behind it is the paper
    if re.fullmatch(r"\d+(\.\d+)?", width):
        root.set("width", "100%")
