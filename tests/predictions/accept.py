"""Accept the predictions of today, once the changelog says why they moved.

python tests/predictions/accept.py --because changelog.d/step.accuracy.md
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from gate import ACCEPTED, accepted, moved, predictions, table, text_of

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Print what moved, refuse it without a fresh explanation, write it otherwise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--because", required=True, metavar="FRAGMENT", help="changelog.d/<topic>.accuracy.md")
    fragment = parser.parse_args().because
    found = predictions()
    changes = moved(accepted()[1] if ACCEPTED.exists() else {}, found)
    if not changes:  # small moves add up against what was accepted, and are asked about once they do
        print("no prediction moved by more than 1 %: nothing to accept")
        return 0
    print(table(changes))
    refused = refusal(fragment)
    if refused:
        print(f"accept.py: {refused}", file=sys.stderr)
        return 2
    partial = ACCEPTED.with_suffix(".partial")
    partial.write_text(text_of(found, fragment), encoding="utf-8")
    os.replace(partial, ACCEPTED)
    print(f"accepted {len(found)} predictions, explained in {fragment}")
    return 0


def refusal(fragment: str) -> str | None:
    """Return why a fragment does not explain a change, or None."""
    path = ROOT / fragment
    if not path.name.endswith(".accuracy.md") or path.parent != ROOT / "changelog.d":
        return f"{fragment} is no changelog.d/<topic>.accuracy.md"
    if not path.is_file():
        return f"{fragment} does not exist: write what moved, by how much, and which measurement asked for it"
    unchanged = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", fragment], cwd=ROOT, check=False, capture_output=True
    )
    known = subprocess.run(["git", "ls-files", "--error-unmatch", fragment], cwd=ROOT, check=False, capture_output=True)
    if known.returncode == 0 and unchanged.returncode == 0:
        return f"{fragment} says what it said before: add what moved now"
    return None


if __name__ == "__main__":
    sys.exit(main())
