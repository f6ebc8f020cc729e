"""Is a tag ready to be published? `python tools/release.py v0.1.0 https://host/owner/name` exits with 1 if it is not.

The package says at many places which version it is and where its repository is; what was published can't be changed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def obstacles(tag: str, home: str, root: Path = ROOT) -> list[str]:
    """What has to change before the tag is published, from the repository `home`."""
    version = _found(root, "recurrency/version.py", r'^VERSION = "(.+)"$')
    source = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]
    cited, where = (_found(root, "CITATION.cff", rf"^{key}: (.+)$") for key in ("version", "repository-code"))
    out = []
    if tag != f"v{version}":
        out.append(f"the tag is {tag}; recurrency/version.py says {version}")
    if cited != version:
        out.append(f"CITATION.cff has version {cited}, not {version}")
    if {source, where} != {home}:
        out.append(f"this repository is {home}; pyproject.toml says {source}, CITATION.cff {where}")
    if not re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", _text(root, "CHANGELOG.md"), re.MULTILINE):
        out.append(f"CHANGELOG.md has no heading '## {version} (YYYY-MM-DD)'")
    return out


def _text(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


def _found(root: Path, name: str, pattern: str) -> str:
    match = re.search(pattern, _text(root, name), re.MULTILINE)
    return match[1] if match else "none"


def main() -> int:
    """Print what is wrong. Returns the exit code."""
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    found = obstacles(sys.argv[1], sys.argv[2])
    print("\n".join(found) or f"{sys.argv[1]} is ready")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
