"""The proposals of a slate as a prompt shows them, and how much of each text there is room for.

What: `shown` writes the entries of a slate, `comments` and `own` what an author is shown. Why: a prompt's new part has
to stay small against the part that providers cache, so hypotheses and the debate share what diffs leave. Diffs are what
runs: they lose context lines that stand in the file above, and nothing else while the model's window holds them. How to
extend: a text that a judge should see is a field of `Entry` and a line in `entry.md`, with its share of `words` here.
"""

from __future__ import annotations

from council import tokens
from council.members.prompt_text import one_line, quoted, render, slim
from council.types import Critique, Edit, Entry, Proposal, Slate

TITLE_TOKENS = 36
HYPOTHESIS_TOKENS, DIFF_TOKENS, COMMENT_TOKENS, EDIT_TOKENS = 150, 4000, 500, 6000
"""The most tokens of each text of a member."""
USUAL_HEAD, MARKS = 230, 24
"""Tokens of title and diff that count against the words about them (not what is beyond), and of labels and marks."""
LEAST_WORDS, LEAST_TEXT = 50, 20
"""What an entry's hypothesis and debate together, and one text among them, have in any case."""


def shown(slate: Slate, left: int, share: float = 1.0) -> str:
    """All entries in about `left` tokens; `share` shortens everything, diffs too, where the window is small."""
    heads = [_head(entry, share) for entry in slate.entries]
    taken = sum(MARKS + min(tokens.count(head), USUAL_HEAD) for head in heads)
    words = int(max(LEAST_WORDS, (left - taken) / max(1, len(heads))) * share)
    return "\n".join(
        render("entry", label=e.label, head=head, words=_words(e, words))
        for e, head in zip(slate.entries, heads, strict=True)
    )


def _head(entry: Entry, share: float) -> str:
    title, family = one_line(entry.title, TITLE_TOKENS), one_line(entry.family, 10)
    diff = quoted(slim(entry.diff), int(DIFF_TOKENS * share))
    return f"| TITLE: {title}\n| FAMILY: {family}\n{diff}"


def _words(entry: Entry, room: int) -> str:
    """The hypothesis, then the debate in what it leaves: half of the room if there was one."""
    debate = (room // 2 if tokens.count(entry.hypothesis) > room // 2 else room) if entry.comments else 0
    why = quoted("HYPOTHESIS: " + entry.hypothesis, min(HYPOTHESIS_TOKENS, room - (debate and room // 2)))
    if not entry.comments:
        return why
    left = max(LEAST_TEXT, room - tokens.count(why))
    answer = quoted("AUTHOR'S ANSWER: " + entry.answer, max(LEAST_TEXT, left // 3)) if entry.answer else ""
    return "\n".join([why, *_told(entry.comments, left - tokens.count(answer)), *filter(None, [answer])])


def _told(said: tuple[str, ...], left: int) -> list[str]:
    """As many comments as have room to say something, at least one, and how many are left out."""
    lines: list[str] = []
    for number, text in enumerate(said):
        if lines and left < min(LEAST_TEXT, tokens.count(text) + 5):
            return [*lines, f"({len(said) - number} more comments)"]
        lines.append(quoted("COMMENT: " + text, max(LEAST_TEXT, left // (len(said) - number))))
        left -= tokens.count(lines[-1])
    return lines


def comments(critiques: tuple[Critique, ...], left: int, share: float) -> str:
    """What others said of the reader's own proposal."""
    each = max(2 * LEAST_TEXT, min(COMMENT_TOKENS, left // max(1, len(critiques))))
    return "\n\n".join(
        f"Comment {number}:\n{quoted(one.text, int(each * share))}" for number, one in enumerate(critiques, 1)
    )


def own(proposal: Proposal, share: float) -> dict[str, str]:
    """A member's own proposal."""
    return {
        "title": one_line(proposal.title, TITLE_TOKENS),
        "hypothesis": quoted("HYPOTHESIS: " + proposal.hypothesis, int(HYPOTHESIS_TOKENS * share)),
        "edit": quoted(_edit_text(proposal.edit), int(EDIT_TOKENS * share)),
    }


def _edit_text(edit: Edit) -> str:
    if edit.whole is not None:
        return edit.whole
    return "\n".join(
        f"<<<<<<< SEARCH\n{block.search.rstrip(chr(10))}\n=======\n{block.replace.rstrip(chr(10))}\n>>>>>>> REPLACE"
        for block in edit.blocks
    )
