"""How to cite: the papers as the catalog knows them, the course from its CITATION.cff."""
from __future__ import annotations

from pathlib import Path
from typing import Any

FILE = "CITATION.cff"


def course(root: Path) -> tuple[str, str] | None:
    """What the course's citation file says, as a sentence and as BibTeX; ``None`` where there is no such file.

    ``ValueError`` if the file is not what it should be.
    """
    place = root / FILE
    if not place.is_file():
        return None
    import yaml

    try:
        found: Any = yaml.safe_load(place.read_text(encoding="utf-8"))
        names = [_name(author) for author in found["authors"]]
        title, version, year = str(found["title"]), str(found["version"]), str(found["date-released"])[:4]
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{place}: not a citation file with title, version, date-released and authors") from error
    # a group's name is one name, not a first and a last one
    authors = " and ".join(f"{{{name}}}" if " " in name and group else name for name, group in names)
    bibtex = (f"@software{{gradscape{year},\n  title = {{{{{title}}}}},\n  author = {{{authors}}},\n"
              f"  version = {{{version}}},\n  year = {{{year}}}\n}}")
    return str(found.get("message", "")), bibtex


def _name(author: dict[str, Any]) -> tuple[str, bool]:
    """A person's or a group's name, and whether it is a group's."""
    if "name" in author:
        return str(author["name"]), True
    return f"{author['given-names']} {author['family-names']}", False
