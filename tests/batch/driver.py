"""A toy course in its own folder and the command line in it: ``python driver.py COURSE LESSON,LESSON WORD ...``.

The words are those of ``gradscape``. The course is made on the first call and found again by later ones.
"""
from __future__ import annotations

import signal
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Be ``gradscape`` in a toy course."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it runs in the background ignore it
    sys.path[0] = str(CHECKOUT)  # instead of this folder, whose toy.py would hide a lesson of that name
    import pytest
    from gradscape import cli

    from tests.batch import toy

    folder, slugs = Path(sys.argv[1]), tuple(sys.argv[2].split(","))
    toy.make(folder, pytest.MonkeyPatch(), slugs)
    sys.argv[1:] = sys.argv[3:]
    cli.main()


if __name__ == "__main__":
    main()
