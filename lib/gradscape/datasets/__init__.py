"""Real data: committed Fashion-MNIST, tables, prose, photographs from installed wheels, full sets fetched on request.

Nothing is read on import and no loader touches the network; only ``fetch`` does.
"""
from __future__ import annotations

import lazy_loader

# Nothing below is imported before it is asked for: module -> the public names it defines.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["fashion", "formats", "integrity", "labels", "photos", "remote", "tables", "text"],
    {
        "integrity": ["checksums", "DataError", "verify"],
        "labels": ["Labeled", "parity", "random_split"],
        "remote": ["fetch", "remote_sets"],
    },
)
