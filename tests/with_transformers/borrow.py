"""``borrow.py PYTHON``: let this environment import what that of PYTHON has, after all that it has itself."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

_WHERE = "import sysconfig; print(sysconfig.get_path('purelib'))"


def main(python: str) -> None:
    packages = subprocess.run([python, "-c", _WHERE], check=True, capture_output=True, text=True).stdout
    Path(sysconfig.get_path("purelib"), "zz_borrowed.pth").write_text(packages, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
