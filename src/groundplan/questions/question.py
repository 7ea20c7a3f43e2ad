"""A question: a task, its typed request, and what each field of the request is called and means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from groundplan.errors import InputError, UnknownName, WrongField
from groundplan.questions.reading import build, names_set

if TYPE_CHECKING:
    from groundplan.catalog.catalog import Catalog


Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request, as people give it.

    Parameters
    ----------
    name : str
        Of the request's field.
    flag : str
        How a command and a page's address call it, e.g. ``--cached``. ``--train/--serve`` is a pair, of which the
        first says `choices[0]`, the second `choices[1]`.
    metavar : str
        What stands for the value; empty for a switch.
    help : str
        One line.
    choices : tuple of str
        The values, where there are few that never change.
    names : str
        Table of the catalog whose rows are the values.
    needed : bool
        Whether the question cannot be asked without it.
    is_file : bool
        Whether the value is a path on the machine of the one who asks.
    only_with : str
        Field without which this one says nothing.
    not_with : tuple of str
        Fields any of which takes the place of this one.
    """

    name: str
    flag: str
    metavar: str
    help: str
    choices: tuple[str, ...] = ()
    names: str = ""
    needed: bool = False
    is_file: bool = False
    only_with: str = ""
    not_with: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What the field is called in the address of a page."""
        return self.name if self.is_pair else self.flag.removeprefix("--")

    @property
    def is_pair(self) -> bool:
        """Whether the flag comes in two, one for each choice."""
        return "/" in self.flag

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return not self.metavar and not self.is_pair


@dataclass(frozen=True, slots=True)
class Question:
    """A task that people ask of the engine.

    Parameters
    ----------
    name : str
        Of the command, the page and the API.
    title : str
        Of the page.
    summary, details : str
        What it answers, in a line, and what else there is to know.
    request, task : str
        ``module:name`` of the request's type and of the function (request, catalog) -> result.
    fields : tuple of Field
        In the order people think of them.
    example : mapping
        Key -> value: what a page shows to who has asked nothing yet.
    """

    name: str
    title: str
    summary: str
    details: str
    request: str
    task: str
    fields: tuple[Field, ...]
    example: Mapping[str, str]

    def ask(
        self, given: Mapping[str, object], catalog: Catalog, sets: Sequence[str] = (), as_of: str | None = None
    ) -> dict[str, Any]:
        """Return the answer by the JSON contract.

        Parameters
        ----------
        given : mapping
            Field of the request -> value, or text with its unit; None = not given.
        catalog : Catalog
        sets : sequence of str
            ``field=value`` on top of it.
        as_of : str, optional
            ISO date against which prices age.

        Raises
        ------
        GroundplanError
            What was asked is impossible, or names what is in no catalog.
        """
        task = _named(self.task)
        answer: dict[str, Any] = self.answered(lambda: task(self.request_of(given, sets, as_of), catalog)).to_dict()
        return answer

    def answered(self, work: Callable[[], Answered]) -> Answered:
        """Return what work on a request gives; its errors call fields by the flags that people give.

        Raises
        ------
        GroundplanError
            As the work raises it.
        """
        try:
            return work()
        except WrongField as error:
            flags = {field.name: field.flag for field in self.fields}
            raise error.called(flags.get(error.field, error.field)) from None

    def request_of(self, given: Mapping[str, object], sets: Sequence[str] = (), as_of: str | None = None) -> Any:
        """Return the typed request of what is given, as `ask` makes it.

        Raises
        ------
        InputError, UnknownName
            A field that would be ignored beside the others, or a value that does not parse.
        """
        names = {field.key.replace("-", "_"): field.name for field in self.fields}
        sets = [f"{names.get(name, name)}={value}" for name, value in names_set(sets).items()]
        self._check_together({name for name, value in given.items() if value is not None} | set(names_set(sets)))
        dated = {"as_of": as_of} if as_of and "as_of" in self.types() else {}
        labels = {field.name: field.flag for field in self.fields}
        return build(self.request_type, {**given, **dated}, sets, labels)

    def _check_together(self, given: set[str]) -> None:
        """Refuse a field that would be ignored beside the others that are given."""
        flags = {field.name: field.flag for field in self.fields}
        for field in self.fields:
            if field.name not in given:
                continue
            if field.only_with and field.only_with not in given:
                needed = flags[field.only_with]
                raise InputError(f"{field.flag} says nothing without {needed}", f"add {needed}, or leave it out")
            for other in field.not_with:
                if other in given:
                    raise InputError(
                        f"{field.flag} says nothing beside {flags[other]}, which takes its place", "give one of them"
                    )

    @property
    def request_type(self) -> type[Any]:
        """The dataclass that the task takes."""
        found: type[Any] = _named(self.request)
        return found

    def types(self) -> dict[str, str]:
        """Return field of the request -> its annotation."""
        return {field.name: str(field.type) for field in fields(self.request_type)}

    def defaults(self) -> dict[str, Any]:
        """Return field of the request -> its default, of those that have one."""
        return {field.name: field.default for field in fields(self.request_type) if field.default is not MISSING}

    def field(self, key: str) -> Field:
        """Return the field of a key as in the address of a page.

        Raises
        ------
        UnknownName
            No field is called so.
        """
        by_key = {field.key: field for field in self.fields}
        if key not in by_key:
            raise UnknownName(f"field of {self.name}", key, by_key)
        return by_key[key]


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
