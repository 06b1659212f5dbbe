"""What of an archive is about runs: blocks, calls and functions it records."""

from __future__ import annotations

import functools
import inspect
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from archivedb.archive.running.run import Run
from archivedb.archive.writing.current import refuse_in_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from archivedb.archive.core import Core
    from archivedb.records import Record

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Runs:
    """The part of `Archive` that records what programs do."""

    _core: Core

    def run(
        self,
        name: str | Record,
        inputs: Any = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        mode: str | None = None,
    ) -> Run:
        """
        Return a run, to be recorded by a ``with`` block.

        On entering, the inputs are saved with the status *running*; in the
        block, ``run["energy"] = …`` keeps an output at once; at its end the
        status is *finished*, or *failed*, with the traceback.  A process that
        is killed leaves it running.  See `Run` for what is recorded.

        Args:
            name: The record's name; if there is one, the run is a new version.
            inputs: What the run begins with; an empty dict if left out.
            metadata: Further facts by which the run shall be found.
            tags: Words by which it shall be found.
            mode: How it is encoded; the archive's if left out.

        Raises:
            InvalidNameError: The text cannot be a name.
            ValueError: The metadata say what a run says of itself.
            BatchError: A batch is open, in which nobody would see the run.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> with archive.run("al/run-7", {"cutoff": 500}) as run:
            ...     run["energy"] = -3.7
            ...     raise ValueError("no convergence")
            Traceback (most recent call last):
                ...
            ValueError: no convergence
            >>> [found.name for found in archive.find(status="failed")]
            ['al/run-7']
            >>> archive["al/run-7/outputs/energy"]
            -3.7

        """
        refuse_in_batch(self._core, "record runs")
        inputs = {} if inputs is None else inputs
        archive: Any = self
        return Run(archive, name, inputs, metadata=metadata, tags=tags, mode=mode)

    def call(
        self, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _R:
        """
        Call a function, and record the call as a run; see `recorded`.

        Its name is that of the function, and the time:
        ``relax/20260301T120000123456-3f9a2c``.  All arguments go to the function,
        so to choose a name, say ``archive.recorded("relax/al")(function)(…)``.

        Args:
            function: Any function; of an async one, the call is awaited.
            args: Its arguments.
            kwargs: Its arguments by name.

        Returns:
            What the function returned.

        Raises:
            EncodeError: The arguments cannot be stored, and the function was
                not called; or what it returned cannot be.
            TypeError: The arguments do not fit, or it is a generator function.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> def relax(metal, cutoff=400):
            ...     return {"energy": -cutoff / 100}
            >>> archive.call(relax, "al")
            {'energy': -4.0}
            >>> (record,) = archive.find(status="finished")
            >>> archive.load(record)
            {'inputs': {'metal': 'al', 'cutoff': 400}, 'outputs': {'energy': -4.0}}

        """
        return self.recorded(function)(*args, **kwargs)

    @overload
    def recorded(
        self,
        function: Callable[_P, _R],
        /,
        *,
        name: str | None = ...,
        ignore: str | Iterable[str] = ...,
        metadata: Mapping[str, Any] | None = ...,
        tags: Iterable[str] = ...,
        mode: str | None = ...,
    ) -> Callable[_P, _R]: ...
    @overload
    def recorded(
        self,
        function: str | None = None,
        /,
        *,
        name: str | None = ...,
        ignore: str | Iterable[str] = ...,
        metadata: Mapping[str, Any] | None = ...,
        tags: Iterable[str] = ...,
        mode: str | None = ...,
    ) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...

    def recorded(  # noqa: PLR0913 - the options of a run
        self,
        function: Callable[..., Any] | str | None = None,
        /,
        *,
        name: str | None = None,
        ignore: str | Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        mode: str | None = None,
    ) -> Any:
        """
        Make a function record each of its calls as a run.

        Its inputs are the arguments by name, defaults included, as they are
        before the call; its outputs the dict that the function returns, or
        ``{"result": value}``.  What it returns is handed on unchanged.

        An argument that cannot be stored is an error before the call; name it
        in *ignore*, as ``self`` of a method that holds open files.  If what is
        returned cannot be stored, what can be of its items is, the run has
        failed, and the error goes on.

        Args:
            function: Any function, also an async one, a method or a callable
                object; no generator.  Left out, or if it is the run's name, a
                decorator is returned.
            name: The run's name, with arguments in it: ``"relax/{metal}"``; a
                second call of one name is a new version.  After a folder that
                ends with a slash, ``"relax/"``, comes the time.  Left out, it
                is that of the function, and the time.
            ignore: The arguments that are not recorded.
            metadata: Further facts by which the runs shall be found.
            tags: Words by which they shall be found.
            mode: How they are encoded; the archive's if left out.

        Raises:
            TypeError: It is no function, or one whose result comes in parts; or
                there are two names.
            ValueError: It has no argument of a name that is ignored.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> @archive.recorded("relax/{metal}", tags=["relaxed"])
            ... def relax(metal, cutoff=400):
            ...     return -cutoff / 100
            >>> relax("al", cutoff=500)
            -5.0
            >>> archive.load("relax/al")
            {'inputs': {'metal': 'al', 'cutoff': 500}, 'outputs': {'result': -5.0}}

        """
        options: dict[str, Any] = {
            "metadata": metadata,
            "tags": (tags,) if isinstance(tags, str) else tuple(tags),
            "mode": mode,
        }
        if isinstance(function, str):
            if name is not None:
                msg = f"a run has one name, and not {function!r} and {name!r}"
                raise TypeError(msg)
            function, name = None, function
        left_out = (ignore,) if isinstance(ignore, str) else tuple(ignore)

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            calls = _Calls(function, name, left_out)

            def begin(args: Any, kwargs: Any) -> Run:
                inputs = calls.arguments(args, kwargs)
                return self.run(calls.name(inputs), calls.kept(inputs), **options)

            return _wrapped(function, begin)

        return decorate if function is None else decorate(function)


def _wrapped(
    function: Callable[..., Any], begin: Callable[[Any, Any], Run]
) -> Callable[..., Any]:
    if _is_async(function):

        @functools.wraps(function)
        async def awaiting(*args: Any, **kwargs: Any) -> Any:
            with begin(args, kwargs) as run:
                value = await function(*args, **kwargs)
                run.keep(_outputs(value))
            return value

        return awaiting

    @functools.wraps(function)
    def calling(*args: Any, **kwargs: Any) -> Any:
        with begin(args, kwargs) as run:
            value = function(*args, **kwargs)
            run.keep(_outputs(value))
        return value

    return calling


def _outputs(value: Any) -> dict[Any, Any]:
    # A dict of its own class would be an object, and no group.
    return dict(value) if isinstance(value, dict) else {"result": value}


def _is(function: Any, kind: Callable[[Any], bool]) -> bool:
    """Return whether a function, or what calling an object calls, is of a kind."""
    while isinstance(function, functools.partial):
        function = function.func
    return kind(function) or kind(type(function).__call__)


def _is_async(function: Any) -> bool:
    return _is(function, inspect.iscoroutinefunction)


class _Calls:
    """What calls of one function are named, and begin with."""

    def __init__(
        self, function: Any, name: str | None, ignore: tuple[str, ...]
    ) -> None:
        if not callable(function) or isinstance(function, (classmethod, staticmethod)):
            msg = (
                f"{function!r:.60} cannot be called; @staticmethod and @classmethod "
                "go above @archive.recorded"
            )
            raise TypeError(msg)
        self._called = _called(function)
        for kind in (inspect.isgeneratorfunction, inspect.isasyncgenfunction):
            if _is(function, kind):
                msg = (
                    f"{self._called} is a generator, whose result comes in parts: "
                    "use `with archive.run(…) as run:` in it"
                )
                raise TypeError(msg)
        self._signature = _signature(function)
        kinds = {each.kind: each.name for each in self._signature.parameters.values()}
        self._rest = kinds.get(inspect.Parameter.VAR_KEYWORD)
        self._ignore, self._name = ignore, name
        unknown = [each for each in ignore if each not in self._signature.parameters]
        if unknown and self._rest is None:
            msg = f"{self._called} has no argument {unknown[0]!r} that could be ignored"
            raise ValueError(msg)

    def arguments(self, args: Any, kwargs: Any) -> dict[str, Any]:
        """Return the arguments of a call by name, defaults included."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        found = dict(bound.arguments)
        rest = found.get(self._rest) if self._rest is not None else None
        # A positional-only argument may have the name of one of the rest.
        if self._rest is not None and rest is not None and not rest.keys() & found:
            del found[self._rest]
            found |= rest
        return found

    def kept(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments that are recorded."""
        return {k: value for k, value in arguments.items() if k not in self._ignore}

    def name(self, arguments: dict[str, Any]) -> str:
        """Return the name of a run."""
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        unique = f"{now}-{secrets.token_hex(3)}"
        if self._name is None:
            return f"{self._called}/{unique}"
        try:
            name = self._name.format_map(arguments)
            return f"{name}{unique}" if self._name.endswith("/") else name
        except (AttributeError, IndexError, KeyError) as error:
            known = ", ".join(arguments)
            msg = f"the name {self._name!r} has what is no argument; there are {known}"
            raise ValueError(msg) from error


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError:  # some that are written in C do not say
        return inspect.signature(lambda *args, **kwargs: (args, kwargs))


def _called(function: Any) -> str:
    """Return what a function is called, where a record's name may have it."""
    while isinstance(function, functools.partial):
        function = function.func
    called = getattr(function, "__qualname__", None) or type(function).__qualname__
    # Where a function was defined is of no use to anybody who looks for it.
    return str(called).rpartition("<locals>.")[2].strip("<>")
