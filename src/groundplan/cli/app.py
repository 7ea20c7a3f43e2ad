"""The commands, in the order a newcomer reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from groundplan import __version__
from groundplan.cli import catalog, finops, plans, proofs
from groundplan.cli.answers import OnceCommand, answers
from groundplan.cli.asked import Answer
from groundplan.cli.questions import command_of
from groundplan.cli.server import mcp, server, token_add, token_revoke
from groundplan.cli.simulation import with_trace
from groundplan.questions import calculators, serving

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

app = typer.Typer(
    name="groundplan",
    help="Plan, prove and police machine-learning infrastructure: one brief in, a costed, checked design out.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=SETTINGS,
    invoke_without_command=True,
)
catalogs = typer.Typer(
    help="What exists, with a source for every number.",
    rich_markup_mode=None,
    context_settings=SETTINGS,
    invoke_without_command=True,
)

proof = typer.Typer(
    help="Predictions against measured runs: how far off, by set.",
    rich_markup_mode=None,
    context_settings=SETTINGS,
    invoke_without_command=True,
)


simulations = typer.Typer(
    help="What happens over time, request by request.",
    rich_markup_mode=None,
    context_settings=SETTINGS,
    invoke_without_command=True,
)


accounts = typer.Typer(
    help="What ran, what was billed, who pays, what was wasted.",
    rich_markup_mode=None,
    context_settings=SETTINGS,
    invoke_without_command=True,
)


tokens = typer.Typer(
    help="Who may ask a server.",
    rich_markup_mode=None,
    context_settings=SETTINGS,
    invoke_without_command=True,
)


@app.callback()
def groundplan(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Plan, prove and police machine-learning infrastructure: one brief in, a costed, checked design out."""
    if version:
        typer.echo(f"groundplan {__version__}")
        raise typer.Exit
    _help_without_command(context)


@catalogs.callback()
def catalog_group(context: typer.Context) -> None:
    """What exists: accelerators, hosts, fabrics, storage, models, prices; every number with its source."""
    _help_without_command(context)


@proof.callback()
def validate_group(context: typer.Context) -> None:
    """How far predictions are from measured runs, by set, with the rows furthest off."""
    _help_without_command(context)


@simulations.callback()
def simulate_group(context: typer.Context) -> None:
    """What happens over time: every request of a trace followed through a fleet."""
    _help_without_command(context)


@accounts.callback()
def finops_group(context: typer.Context) -> None:
    """What really ran and what was really billed: who pays, what was wasted, whether the plan held."""
    _help_without_command(context)


@tokens.callback()
def token_group(context: typer.Context) -> None:
    """Who may ask a server that others reach: make tokens, take them back."""
    _help_without_command(context)


def _help_without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


COMMANDS: tuple[Callable[..., Answer], ...] = (
    plans.plan,
    command_of(calculators.MEMORY),
    command_of(calculators.TRAIN),
    command_of(serving.SERVE),
    command_of(calculators.ALLREDUCE),
    command_of(calculators.STORAGE),
    command_of(calculators.CHECKPOINT),
    command_of(calculators.COST),
    plans.explain,
    plans.diff,
)
OF_A_PLAN = ("sets", "exit_code", "as_of")
"""Options about a brief, a verdict and prices, of which measured runs have none."""
CATALOG_COMMANDS: dict[str, Callable[..., Answer]] = {
    "list": catalog.listing,
    "show": catalog.show,
    "check": catalog.check,
}
PROOF_COMMANDS: dict[str, Callable[..., Answer]] = {
    "training": proofs.training,
    "memory": proofs.memory,
    "serving": proofs.serving,
}
FINOPS_COMMANDS: dict[str, Callable[..., Answer]] = {
    "import": finops.import_,
    "total": finops.total,
    "quarantine": finops.quarantine,
    "allocate": finops.allocate,
    "jobs": finops.jobs,
    "anomalies": finops.anomalies,
    "recommend": finops.recommend,
    "statements": finops.statements,
    "units": finops.units,
    "variance": finops.variance,
    "check": finops.check,
    "alert-rules": finops.alert_rules,
    "simulate-world": finops.simulate_world,
    "tco": finops.tco,
}
for body in COMMANDS:
    app.command(name=body.__name__, cls=OnceCommand)(answers(body))
for name, body in CATALOG_COMMANDS.items():
    catalogs.command(name=name, cls=OnceCommand)(answers(body))
for name, body in PROOF_COMMANDS.items():
    proof.command(name=name, cls=OnceCommand)(answers(body, without=OF_A_PLAN))
for name, body in FINOPS_COMMANDS.items():
    accounts.command(name=name, cls=OnceCommand)(answers(body))
app.command(name="calibrate", cls=OnceCommand)(answers(proofs.calibrate, without=OF_A_PLAN))
app.command(name="server")(server)
app.command(name="mcp")(mcp)
tokens.command(name="add")(token_add)
tokens.command(name="revoke")(token_revoke)
app.add_typer(tokens, name="token")
simulations.command(name="serve", cls=OnceCommand)(answers(command_of(serving.SIMULATE, with_trace)))
app.add_typer(simulations, name="simulate")
app.add_typer(proof, name="validate")
app.add_typer(accounts, name="finops")
app.add_typer(catalogs, name="catalog")
