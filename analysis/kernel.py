"""Compiled kernels that need no compiler for small inputs.

Loading numba costs more than walking a thousand spans in plain Python, and `tracegap analyze` must answer a
small question at once. A function decorated with `kernel` therefore has two forms made from one source: the
Python function itself, and the function that numba compiles (cached on disk) when there is enough work to pay for it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from functools import cached_property, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["COMPILE_FROM", "Kernel", "bare_kernel", "inlined_kernel", "kernel"]

COMPILE_FROM = 60_000
"""From so many items on the compiled form is worth loading numba for: 0.8 s, and once some ten to compile."""

P = ParamSpec("P")
R = TypeVar("R")


class Kernel(Generic[P, R]):
    """A function over NumPy arrays and scalars, called as `k.for_size(n)(...)`.

    Kernels may call other kernels of their module by plain name: `helper(x)` works in both forms.
    """

    def __init__(self, function: Callable[P, R], **options: bool) -> None:
        self.python = function
        self._options = options
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.python(*args, **kwargs)

    def for_size(self, items: int) -> Callable[P, R]:
        """The form to use for this many items; both give the same values."""
        return self.compiled if items >= COMPILE_FROM else self.python

    def run(self, items: int, inputs: Sequence[Any], outputs: Sequence[npt.NDArray[Any]]) -> R:
        """Call with `inputs` (arrays and numbers) and then `outputs` (arrays that it writes), in the form for `items`.

        The plain form gets lists: one element of a NumPy array costs Python five times what one of a list does.
        """
        if items >= COMPILE_FROM:
            return self.compiled(*inputs, *outputs)  # type: ignore[call-arg, arg-type]
        written = [array.tolist() for array in outputs]
        given = [value.tolist() if isinstance(value, np.ndarray) else value for value in inputs]
        result = self.python(*given, *written)  # type: ignore[call-arg]
        for array, values in zip(outputs, written, strict=True):
            array[:] = values
        return result

    @cached_property
    def compiled(self) -> Callable[P, R]:
        """The machine-code form: compiled at the first call for its argument types, then read from numba's cache."""
        numba = _numba()
        # Numba resolves globals when it compiles and knows no Kernel objects: give it their compiled forms.
        names: dict[str, Any] = dict(self.python.__globals__)
        for used in self.python.__code__.co_names:
            if isinstance(names.get(used), Kernel):
                names[used] = names[used].compiled
        function = types.FunctionType(self.python.__code__, names, self.python.__name__, self.python.__defaults__)
        function.__qualname__ = self.python.__qualname__
        function.__module__ = self.python.__module__
        compiled: Callable[P, R]
        try:
            compiled = numba.njit(cache=True, nogil=True, **self._options)(function)
        except RuntimeError:
            # Neither this package's folder nor the user's cache can be written to: compile anew in every process.
            compiled = numba.njit(nogil=True, **self._options)(function)
        return compiled


def _numba() -> Any:
    """Numba without linear algebra: to see whether SciPy has BLAS takes as long as all else that numba starts with."""
    import numba
    from numba.np import linalg

    # One module asks, once, when it is loaded, and takes this answer for "matrix products cannot be compiled".
    asked = linalg.ensure_blas
    linalg.ensure_blas = _has_no_blas
    try:
        import numba.np.arraymath
    finally:
        linalg.ensure_blas = asked
    return numba


def _has_no_blas() -> None:
    raise ImportError("no kernel multiplies matrices")


def kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """Mark a function as a kernel: within numba's nopython subset, without side effects beyond its arrays."""
    return Kernel(function)


def bare_kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """A kernel that creates no arrays, only reads and writes those it is given: nothing counts references for it."""
    return Kernel(function, _nrt=False)


def inlined_kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """A bare kernel that becomes part of its callers: for small helpers over many arrays, where calling costs more.


    Costs time to compile at every place that calls it.
    """
    return Kernel(function, forceinline=True, _nrt=False)
