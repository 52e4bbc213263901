"""The papermill engine ``gradscape``: ``papermill --engine gradscape in.ipynb out.ipynb``.

papermill loads this module while it is itself still being imported, so nothing of papermill is imported here before an
engine is asked to do something.
"""
from __future__ import annotations

from typing import Any


class GradscapeEngine:
    """Executes a notebook headlessly, without widget state, in a kernel with capped threads and one deadline.

    Options beyond papermill's own: ``deadline`` (seconds for the whole run; then the kernel is killed), ``threads``,
    ``headless`` (value of ``GRADSCAPE_HEADLESS``), ``kernel`` (a :class:`gradscape.batch.kernel.Kernel` started
    ahead) and ``trace`` (a :class:`gradscape.batch.kernel.Trace` that is filled while the notebook runs).
    """

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **options: Any) -> Any:
        """Execute and return the notebook node."""
        from gradscape.batch.kernel import ManagedEngine

        return ManagedEngine.execute_notebook(nb, kernel_name, **options)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Every lesson runs in the Python that runs the batch."""
        return "python3"

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Every lesson is Python."""
        return "python"
