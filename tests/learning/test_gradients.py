"""Dense real gradients are taken, all others are refused before anything moves."""
from __future__ import annotations

import pytest
import torch
from gradscape.learning.gradients import check_dense, dense_gradients


def parameter(*shape, dtype=torch.float32):
    return torch.zeros(*shape, dtype=dtype, requires_grad=True)


def test_pairs_by_group_without_those_that_have_no_gradient():
    a, b, c = parameter(2), parameter(3), parameter(4)
    a.grad, c.grad = torch.ones(2), torch.ones(4)
    first, second, third = dense_gradients("X", [{"params": [a, b]}, {"params": [c]}, {"params": [b]}])
    assert [p is q for (p, _), q in zip(first + second, (a, c), strict=True)] == [True, True]
    assert first[0][1] is a.grad
    assert third == []


def test_a_later_group_is_checked_too():
    a, b = parameter(2), parameter(3)
    a.grad, b.grad = torch.ones(2), torch.ones(3).to_sparse()
    with pytest.raises(RuntimeError, match=r"^Mine does not support sparse gradients \(shape \(3,\)\)$"):
        dense_gradients("Mine", [{"params": [a]}, {"params": [b]}])


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_every_sparse_layout_is_refused(layout):
    with pytest.raises(RuntimeError, match="sparse"):
        check_dense("Mine", parameter(3, 3), torch.eye(3).to_sparse(layout=layout))


def test_complex_is_refused():
    with pytest.raises(RuntimeError, match="complex parameters"):
        check_dense("Mine", parameter(2, dtype=torch.complex64), torch.ones(2, dtype=torch.complex64))
    check_dense("Mine", parameter(2), torch.ones(2))
