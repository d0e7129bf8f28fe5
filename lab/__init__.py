"""The lab: trains one `train.py` for a fixed budget and says what it is worth, in bits per byte.

Why a package of its own: the code being measured is rewarded for a low number, so the number is made
elsewhere. A *referee* (`referee.py`) holds the data, the clock and the score; *boxes* (`box.py`) are
throw-away processes that run the edited code and can only answer over one socket.

    python -m lab prepare                    build the corpus cache once
    python -m lab measure lab/train.py       train, score, print the measurement
    python -m lab smoke lab/train.py         three steps, to see whether it runs at all

Nothing here imports the council, and the council never imports the lab: they meet in a process.
"""
