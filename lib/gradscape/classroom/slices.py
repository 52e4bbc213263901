"""Cut out of a module what a few of its names need: a solution from the answers, a helper from the checkers."""
from __future__ import annotations

import ast
from collections.abc import Iterable


def names_in(node: ast.AST) -> set[str]:
    """Every name that a piece of code mentions."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def defined_by(statement: ast.stmt) -> set[str]:
    """Module-level names that one statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    return {name for target in targets for name in names_in(target)}


def needed(source: str, wanted: Iterable[str], leave_out: Iterable[str] = ()) -> str:
    """The statements of a module, in its order, that define the wanted names and all that these use.

    Imports are cut down to the names in use. ``ValueError`` for a name that the module does not define.
    """
    tree, left = ast.parse(source), set(leave_out)
    owners = {name: statement for statement in tree.body for name in defined_by(statement)}
    missing = sorted(set(wanted) - set(owners))
    if missing:
        raise ValueError(f"name={missing[0]!r}: not defined in this module")
    used: set[str] = set()
    open_names = list(wanted)
    while open_names:
        name = open_names.pop()
        if name in used or name in left or name not in owners:
            continue
        used.add(name)
        if not isinstance(owners[name], ast.Import | ast.ImportFrom):
            open_names.extend(names_in(owners[name]) | defined_by(owners[name]))
    found = [text for statement in tree.body if (text := _text(source, statement, used))]
    return "\n".join(found)


def _text(source: str, statement: ast.stmt, used: set[str]) -> str:
    if not defined_by(statement) & used:
        return ""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            return ""
        names = [alias for alias in statement.names if (alias.asname or alias.name).split(".")[0] in used]
        cut: ast.stmt = (
            ast.Import(names) if isinstance(statement, ast.Import)
            else ast.ImportFrom(statement.module, names, statement.level)
        )
        return ast.unparse(cut)
    first = min([statement.lineno, *(mark.lineno for mark in getattr(statement, "decorator_list", []))])
    text = "\n".join(source.splitlines()[first - 1 : statement.end_lineno])
    return f"\n\n{text}\n\n" if isinstance(statement, ast.FunctionDef | ast.ClassDef) else text


def entry(source: str, table: str, key: int) -> ast.expr:
    """The expression under a key of a module-level dictionary; ``ValueError`` if it is not written out there."""
    for statement in ast.parse(source).body:
        if table in defined_by(statement) and isinstance(value := getattr(statement, "value", None), ast.Dict):
            for name, expression in zip(value.keys, value.values, strict=True):
                if isinstance(name, ast.Constant) and name.value == key:
                    return expression
    raise ValueError(f"{table}[{key}]: no such entry")
