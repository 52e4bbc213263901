"""The toy course of the batch's tests."""
from tests.batch.conftest import course

__all__ = ["course"]
