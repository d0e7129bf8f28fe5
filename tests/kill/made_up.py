"""`council` in a process whose experiments are made up at once, so that a night of language models takes a minute.

    python tests/kill/made_up.py -C FOLDER run --offline

Everything else is real: members, doors, store, git. Tries follow each other without the usual pause.
"""

from __future__ import annotations

import sys

from council import session
from council.members import llm_ask
from tests.helpers import FakeExecutor

if __name__ == "__main__":
    session.executor_of = lambda config: FakeExecutor()
    llm_ask.FIRST_PAUSE = 0.02
    from council.cli import main

    sys.argv[0] = "council"
    main()
