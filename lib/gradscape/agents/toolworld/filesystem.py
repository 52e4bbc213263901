"""A small file system with the names, arguments and results of BFCL's ``GorillaFileSystem``.

After the Berkeley function-calling leaderboard, version 3 (multi-turn), package ``bfcl-eval`` (Apache-2.0); written
anew, and compared call by call with the original in the tests. Every tool answers with a dictionary (or None); a
failure is ``{"error": text}`` and leaves the state as it was. On purpose different from BFCL:

- moving or copying a folder copies it deeply and keeps its parents right (BFCL shares or loses them);
- ``cp`` onto a name that exists in the destination is an error observation (BFCL raises);
- a folder cannot be moved or copied into itself, and ``echo`` into a folder is an error (BFCL raises).

``mv`` and ``cp`` onto a name that does not exist **silently rename**, as in BFCL: only the observation tells.
"""
from __future__ import annotations

from typing import Any, TypeAlias

Node: TypeAlias = "dict[str, Node] | str"  # a folder, or the content of a file
Tree: TypeAlias = dict[str, Node]
Answer: TypeAlias = dict[str, Any]

ROOT = "workspace"
FORBIDDEN = frozenset('|/\\?%*:"><')

# How a tool ended: the tools below put it into words, the agent's World into an observation.
DID, RENAMED, MISSING, EXISTS, NOT_FOLDER, AT_ROOT, NESTED, INTO_ITSELF, IS_FOLDER, BAD_NAME, NOT_EMPTY = range(11)


def copy_tree(tree: Tree) -> Tree:
    """A deep copy of nested dictionaries."""
    return {name: node if isinstance(node, str) else copy_tree(node) for name, node in tree.items()}


class FileSystem:
    """A tree of folders and a current folder.

    ``tree``: nested dictionaries, name -> folder (a dictionary) or file (its content, a text); it is copied.
    Raises ValueError when it holds anything else.
    """

    __slots__ = ("name", "names", "root", "stack")

    def __init__(self, tree: Tree | None = None, name: str = ROOT) -> None:
        self.root = _checked(tree or {})
        self.name = name
        self.stack = [self.root]  # the folders from the root to the current one
        self.names: list[str] = []  # their names without the root's

    @property
    def here(self) -> Tree:
        """The current folder."""
        return self.stack[-1]

    def clone(self) -> FileSystem:
        """An independent copy, standing in the same folder."""
        twin = object.__new__(FileSystem)
        twin.name = self.name
        twin.root = folder = copy_tree(self.root)
        twin.stack = [folder]
        twin.names = list(self.names)
        for name in self.names:
            folder = folder[name]  # type: ignore[assignment]
            twin.stack.append(folder)
        return twin

    # ---- what happens, as a code --------------------------------------------------------------------------------

    def enter(self, folder: str) -> int:
        """``cd`` to ``..`` or to a folder here."""
        if folder == "..":
            if not self.names:
                return AT_ROOT
            self.stack.pop()
            self.names.pop()
            return DID
        node = self.stack[-1].get(folder)
        if node is None:
            return MISSING
        if isinstance(node, str):
            return NOT_FOLDER
        self.stack.append(node)
        self.names.append(folder)
        return DID

    def make(self, name: str, node: Node) -> int:
        """``mkdir`` (node is a new folder) or ``touch`` (node is a text)."""
        here = self.stack[-1]
        if name in here:
            return EXISTS
        here[name] = node
        return DID

    def transfer(self, source: str, destination: str, *, keep: bool) -> int:
        """``cp`` (keep) or ``mv``: into a folder here, or to a new name here."""
        here = self.stack[-1]
        node = here.get(source)
        if node is None:
            return MISSING
        if "/" in destination:
            return NESTED
        target = here.get(destination)
        if target is None:
            here[destination] = _copied(node)
            if not keep:
                del here[source]
            return RENAMED
        if isinstance(target, str):
            return NOT_FOLDER
        if target is node:
            return INTO_ITSELF
        if source in target:
            return EXISTS
        target[source] = _copied(node)
        if not keep:
            del here[source]
        return DID

    def remove(self, name: str) -> int:
        """``rm``: a file or a folder with all that is in it."""
        return MISSING if self.stack[-1].pop(name, None) is None else DID

    # ---- the tools, as BFCL answers -----------------------------------------------------------------------------

    def pwd(self) -> Answer:
        """The path of the current folder."""
        return {"current_working_directory": "/" + "/".join([self.name, *self.names])}

    def ls(self, a: bool = False) -> Answer:
        """Names in order of insertion; those that start with "." only if ``a``."""
        return {"current_directory_content": [name for name in self.here if a or not name.startswith(".")]}

    def cd(self, folder: str) -> Answer:
        """Go to a folder here, to "..", "." or "/"; trailing slashes do not count."""
        folder = _text("folder", folder).rstrip("/") or "/"
        if folder == "/":
            del self.stack[1:], self.names[:]
        elif "/" in folder:
            return _error(f"cd: {folder}: Unsupported path. Only one folder level at a time is supported.")
        elif folder == "..":
            if self.enter("..") == AT_ROOT:
                return _error("Current directory is already the root. Cannot go back.")
            return {}
        elif folder != "." and self.enter(folder) != DID:
            return _error(f"cd: '{folder}': No such file or directory")
        return {"current_working_directory": self.names[-1] if self.names else self.name}

    def mkdir(self, dir_name: str) -> Answer | None:
        """Make a folder here."""
        return self._made("mkdir: cannot create directory", _text("dir_name", dir_name), {})

    def touch(self, file_name: str) -> Answer | None:
        """Make an empty file here."""
        return self._made("touch: cannot touch", _text("file_name", file_name), "")

    def _made(self, failure: str, name: str, node: Node) -> Answer | None:
        if FORBIDDEN & set(name):
            return _error(f"{failure} '{name}': Invalid character")
        return None if self.make(name, node) == DID else _error(f"{failure} '{name}': File exists")

    def echo(self, content: str, file_name: str | None = None) -> Answer | None:
        """Overwrite an existing file, or show the text; never creates a file."""
        _text("content", content)
        if file_name is None:
            return {"terminal_output": content}
        failure = f"echo: cannot write to '{_text('file_name', file_name)}'"
        if FORBIDDEN & set(file_name):
            return _error(f"{failure}: Invalid character")
        if not file_name:
            return {"terminal_output": content}
        if file_name not in self.here:
            return _error(f"{failure}: No such file")
        if not isinstance(self.here[file_name], str):
            return _error(f"{failure}: Is a directory")
        self.here[file_name] = content
        return None

    def cat(self, file_name: str) -> Answer:
        """The content of a file."""
        if FORBIDDEN & set(_text("file_name", file_name)):
            return _error(f"cat: '{file_name}': Invalid character")
        node = self.here.get(file_name)
        if node is None:
            return _error(f"cat: '{file_name}': No such file or directory")
        return {"file_content": node} if isinstance(node, str) else _error(f"cat: '{file_name}': Is a directory")

    def find(self, path: str = ".", name: str | None = None) -> Answer:
        """All files and folders below ``path`` whose name contains ``name``, depth first."""
        folder = self._folder_at(_text("path", path))
        if folder is None:
            return _error(f"find: '{path}': No such file or directory")
        matches: list[str] = []

        def search(folder: Tree, base: str) -> None:
            for item, node in folder.items():
                if name is None or name in item:
                    matches.append(f"{base}/{item}")
                if not isinstance(node, str):
                    search(node, f"{base}/{item}")

        search(folder, path.rstrip("/"))
        return {"matches": matches}

    def _folder_at(self, path: str) -> Tree | None:
        if path == "/":
            return self.root
        folder: Node | None = self.root if path.startswith("/") else self.here
        for step in [] if path == "." else path.strip("/").split("/"):
            if not isinstance(folder, dict):
                return None
            folder = folder if step == "." else folder.get(step)
        return folder if isinstance(folder, dict) else None

    def mv(self, source: str, destination: str) -> Answer:
        """Move into a folder here, or rename to a name that does not exist here."""
        return self._transferred("mv", "move", "moved", source, destination)

    def cp(self, source: str, destination: str) -> Answer:
        """Copy into a folder here, or to a name that does not exist here."""
        return self._transferred("cp", "copy", "copied", source, destination)

    def _transferred(self, tool: str, verb: str, past: str, source: str, destination: str) -> Answer:
        failure = f"{tool}: cannot {verb} '{_text('source', source)}'"
        ended = self.transfer(source, _text("destination", destination), keep=tool == "cp")
        if ended == DID:
            return {"result": f"'{source}' {past} to '{destination}/{source}'"}
        if ended == RENAMED:
            return {"result": f"'{source}' {past} to '{destination}'"}
        return _error({
            MISSING: f"{failure}: No such file or directory",
            NESTED: f"{tool}: path not allowed in destination. Provide only a file or directory name.",
            NOT_FOLDER: f"{failure} to '{destination}': Not a directory",
            INTO_ITSELF: f"{failure} to '{destination}': It cannot contain itself",
            EXISTS: f"{failure} to '{destination}/{source}': File exists",
        }[ended])

    def rm(self, file_name: str) -> Answer:
        """Remove a file, or a folder with its content."""
        if self.remove(_text("file_name", file_name)) == DID:
            return {"result": f"'{file_name}' removed"}
        return _error(f"rm: cannot remove '{file_name}': No such file or directory")

    def rmdir(self, dir_name: str) -> Answer:
        """Remove an empty folder."""
        node = self.here.get(_text("dir_name", dir_name))
        failure = f"rmdir: cannot remove '{dir_name}'"
        if node is None:
            return _error(f"{failure}: No such file or directory")
        if isinstance(node, str):
            return _error(f"{failure}: Not a directory")
        if node:
            return _error(f"{failure}: Directory not empty")
        del self.here[dir_name]
        return {"result": f"'{dir_name}' removed"}


def _copied(node: Node) -> Node:
    return node if isinstance(node, str) else copy_tree(node)


def _error(text: str) -> Answer:
    return {"error": text}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}={value!r}: must be a text")
    return value


def _checked(tree: object) -> Tree:
    if not isinstance(tree, dict):
        raise ValueError(f"tree={tree!r}: must be a dictionary of names")
    return {_text("name", name): node if isinstance(node, str) else _checked(node) for name, node in tree.items()}
