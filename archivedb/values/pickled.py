"""
The last resort: any object as cloudpickle bytes.

The one module that knows cloudpickle.  What it reads back runs code, so the
bytes are signed where they are stored, and nobody calls `loads` before the
signature was checked.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from archivedb.errors import EncodeError, RestoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROTOCOL = 5


def class_name(value: Any) -> str:
    """Return ``module:QualName`` of a value's class."""
    kind = type(value)
    return f"{kind.__module__}:{kind.__qualname__}"


def dumps(
    value: Any,
    buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None,
) -> bytes:
    """
    Pickle a value, functions and classes of ``__main__`` included.

    Raises:
        EncodeError: It is an open file, a generator, a lock or the like.

    """
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc,name-defined,unused-ignore]
        # cloudpickle would turn an open file into a StringIO of its text: a
        # different thing under the same name.
        dispatch_table = cloudpickle.Pickler.dispatch_table.new_child(
            {io.TextIOWrapper: _refuse_file}
        )

    out = io.BytesIO()
    try:
        Pickler(out, protocol=PROTOCOL, buffer_callback=buffer_callback).dump(value)
    except RecursionError as error:
        msg = f"a value of type {class_name(value)} is nested too deeply to be pickled"
        raise EncodeError(msg) from error
    except Exception as error:
        msg = f"a value of type {class_name(value)} cannot be stored: {error}"
        raise EncodeError(msg) from error
    return out.getvalue()


def _refuse_file(file: io.TextIOWrapper) -> tuple[Any, ...]:
    msg = f"{file!r} is an open file; store its text, or its path"
    raise pickle.PicklingError(msg)


def loads(data: bytes | memoryview, buffers: Iterable[Any] = ()) -> Any:
    """
    Unpickle; the caller has checked that someone trusted signed these bytes.

    Raises:
        RestoreError: A class is gone, or refused to be restored.

    """
    try:
        return pickle.loads(data, buffers=buffers)  # noqa: S301 - signed, see above
    except Exception as error:
        msg = (
            f"an object cannot be restored: {error}; "
            'objects="stub" loads everything around it'
        )
        raise RestoreError(msg) from error
