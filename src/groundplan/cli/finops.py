"""The accounts: bring in what ran and what was billed, and ask who pays, what was wasted, and whether the plan held."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from groundplan.cli.asked import Answer, Asked
from groundplan.errors import InputError

LakeAt = Annotated[str, typer.Option("--lake", metavar="LAKE", help="Folder or URL of the lake.")]
Money = Annotated[str, typer.Option("--column", metavar="COLUMN", help="BilledCost, EffectiveCost, ListCost, ...")]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day, e.g. 2026-07-01.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Day after the last.")]
Currency = Annotated[
    str | None, typer.Option("--currency", metavar="CODE", help="Convert into it, at the dated rates of the lake.")
]

On = Annotated[str, typer.Option("--engine", metavar="ENGINE", help="duckdb, or spark://HOST:PORT where it has grown.")]


def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of files.")],
    lake: LakeAt,
    *,
    asked: Asked,
) -> Answer:
    """Bring bills, jobs, telemetry and prices into the lake, each row once.

    Formats are recognised by content. Rows that do not fit are kept apart with the reason; the same file again
    changes nothing.
    """
    from groundplan.tasks.finops.lake import import_files

    return import_files(lake, paths).to_dict()


def total(
    lake: LakeAt, column: Money = "BilledCost", currency: Currency = None, engine: On = "duckdb", *, asked: Asked
) -> Answer:
    """Add up all charges of the lake, to the last decimal."""
    from groundplan.tasks.finops.lake import total as task

    return task(lake, column, currency, engine).to_dict()


def quarantine(lake: LakeAt, *, asked: Asked) -> Answer:
    """Show the rows that did not fit, as they came, each with its reason."""
    from groundplan.tasks.finops.lake import quarantine as task

    return task(lake).to_dict()


def simulate_world(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="New folder for the world.")],
    seed: Annotated[int, typer.Option("--seed", help="Decides everything that is drawn.")] = 7,
    days: Annotated[int, typer.Option("--days", help="Days from 1 July 2026.")] = 90,
    gpus: Annotated[int, typer.Option("--gpus", help="Accelerators of the fleet.")] = 512,
    teams: Annotated[int, typer.Option("--teams", help="Teams that share it.")] = 12,
    *,
    asked: Asked,
) -> Answer:
    """Write a generated world to test on: bill, jobs, telemetry, prices, and the truth about them.

    The same seed gives the same bytes.
    """
    from groundplan.finops.world.fleet import WorldSize
    from groundplan.tasks.finops.world import simulate_world as task

    return task(WorldSize(seed, days, gpus, teams), out).to_dict()


def allocate(
    lake: LakeAt,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="team, project, user, experiment, model or job.")
    ] = "team",
    column: Money = "EffectiveCost",
    start: From = None,
    end: To = None,
    rules: Annotated[
        Path | None,
        typer.Option("--rules", metavar="YAML", help="Whose tags and accounts are, how to divide the rest."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Show these owners or states; totals stay.")
    ] = None,
    currency: Currency = None,
    engine: On = "duckdb",
    *,
    asked: Asked,
) -> Answer:
    """Divide the bill: who pays, what was idle, what nobody owns. The rows sum to the bill.

    Accelerators are divided by the seconds that jobs held them, everything else by its tags.
    """
    from groundplan.tasks.finops.allocate import AllocateRequest, narrowed
    from groundplan.tasks.finops.allocate import allocate as task

    request = AllocateRequest(lake, by, column, _day("--from", start), _day("--to", end), rules, currency, engine)
    return narrowed(task(request).to_dict(), only or ())


def jobs(
    lake: LakeAt,
    of: Annotated[str, typer.Option("--of", metavar="NAME", help="Whose: the name of a row of finops allocate.")],
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help="team, project, user, experiment or model.")] = "team",
    column: Money = "EffectiveCost",
    start: From = None,
    end: To = None,
    rules: Annotated[Path | None, typer.Option("--rules", metavar="YAML", help="Whose tags and accounts are.")] = None,
    currency: Currency = None,
    *,
    asked: Asked,
) -> Answer:
    """List the jobs behind a row of finops allocate: start, hours, GPUs, cost, useful share. They sum to the row."""
    from groundplan.tasks.finops.allocate import AllocateRequest
    from groundplan.tasks.finops.jobs import owner_jobs as task

    request = AllocateRequest(lake, by, column, _day("--from", start), _day("--to", end), rules, currency)
    return task(request, of).to_dict()


def _day(flag: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{flag} {text!r} is no date", "write year-month-day, e.g. 2026-07-01") from None


def anomalies(
    lake: LakeAt,
    column: Money = "EffectiveCost",
    rules: Annotated[Path | None, typer.Option("--rules", metavar="YAML", help="Whose tags and accounts are.")] = None,
    currency: Currency = None,
    engine: On = "duckdb",
    *,
    asked: Asked,
) -> Answer:
    """Find the days that cost what nobody expected, and whether price, quantity or mix made them so.

    The usual is robust and seasonal by weekday; purchases, credits, taxes and corrections are no anomalies.
    """
    from groundplan.tasks.finops.anomalies import anomalies as task

    return task(lake, column, rules, currency, engine).to_dict()


BudgetFile = Annotated[Path, typer.Option("--budgets", metavar="YAML", help="The budgets.")]


def check(
    lake: LakeAt,
    budgets: BudgetFile,
    rules: Annotated[Path | None, typer.Option("--rules", metavar="YAML", help="Whose tags and accounts are.")] = None,
    column: Money = "EffectiveCost",
    currency: Currency = None,
    deliver: Annotated[bool, typer.Option("--deliver", help="Send the alerts to the channels the file names.")] = False,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", metavar="FILE", help="Also write the state for a textfile collector.")
    ] = None,
    *,
    asked: Asked,
) -> Answer:
    """Hold budgets against what was spent: burn, forecast, the day a limit is passed.

    --exit-code gives 3 where a budget is exceeded, or a hard one will be.
    """
    from groundplan.cli.delivery import check_target, write_file
    from groundplan.tasks.finops.check import CheckRequest
    from groundplan.tasks.finops.check import check as task

    if metrics is not None:
        check_target(metrics, force=True)
    found = task(CheckRequest(lake, budgets, rules, column, currency, asked.as_of, deliver))
    if metrics is not None:
        write_file(metrics, found.metrics, force=True)
    return found.to_dict()


def alert_rules(budgets: BudgetFile, *, asked: Asked) -> Answer:
    """Print alerting rules for Prometheus, over the metrics that `finops check --metrics` writes."""
    from groundplan.tasks.finops.check import prometheus_rules

    return prometheus_rules(budgets)


def variance(
    lake: LakeAt,
    plan: Annotated[str, typer.Option("--plan", metavar="PLAN", help="A saved plan or training design (JSON).")],
    run: Annotated[str, typer.Option("--run", metavar="JOB", help="Job id, job name or experiment.")],
    work: Annotated[
        str | None, typer.Option("--work", metavar="TOKENS", help="What was really trained, where no tracker says.")
    ] = None,
    column: Money = "EffectiveCost",
    currency: Currency = None,
    *,
    asked: Asked,
) -> Answer:
    """Hold a plan against what its run was billed: price, work, efficiency, failures, idle, in steps that sum."""
    from groundplan.cli.reading import read_saved
    from groundplan.quantities import parse
    from groundplan.tasks.finops.variance import VarianceRequest
    from groundplan.tasks.finops.variance import variance as task

    done = None if work is None else parse(work, "count", "--work", positive=True)
    return task(VarianceRequest(lake, read_saved(plan), run, column, done, currency)).to_dict()


def units(
    lake: LakeAt,
    column: Money = "EffectiveCost",
    start: From = None,
    end: To = None,
    currency: Currency = None,
    *,
    asked: Asked,
) -> Answer:
    """What one run, 1,000 inferences, 1M tokens, one useful accelerator-hour cost; commitments, energy, carbon."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.finops.units import units as task

    return task(lake, load_catalog(), column, _day("--from", start), _day("--to", end), currency).to_dict()


def statements(
    lake: LakeAt,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="New folder for the statements.")],
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help="team, project, user, experiment or model.")] = "team",
    column: Money = "EffectiveCost",
    start: From = None,
    end: To = None,
    rules: Annotated[Path | None, typer.Option("--rules", metavar="YAML", help="Whose tags and accounts are.")] = None,
    currency: Currency = None,
    *,
    asked: Asked,
) -> Answer:
    """Write a statement for every team, HTML and CSV, and the allocation in FOCUS columns."""
    from groundplan.render import render
    from groundplan.tasks.finops.allocate import AllocateRequest
    from groundplan.tasks.finops.statements import write_statements

    request = AllocateRequest(lake, by, column, _day("--from", start), _day("--to", end), rules, currency)
    return write_statements(request, out, render).to_dict()


def tco(
    brief: Annotated[Path, typer.Argument(metavar="BRIEF", help="The fleet and the assumptions; see docs/finops.md.")],
    lake: Annotated[
        str | None, typer.Option("--lake", metavar="LAKE", help="Read how the fleet is used from what jobs held.")
    ] = None,
    *,
    asked: Asked,
) -> Answer:
    """Compare owning a fleet, renting it, and owning its base and renting the rest.

    Cash flows, present values, where they break even, and what each assumption does to the answer.
    """
    from groundplan.tasks.finops.tco import TcoRequest
    from groundplan.tasks.finops.tco import tco as task

    return task(TcoRequest(brief, asked.sets, lake, asked.as_of)).to_dict()


def recommend(
    lake: LakeAt,
    column: Money = "EffectiveCost",
    start: From = None,
    end: To = None,
    currency: Currency = None,
    *,
    asked: Asked,
) -> Answer:
    """What to do about waste, each with dollars, evidence, risk and a command.

    Idle and oversized jobs, spot, quiet hours, commitments, repeated and hopeless runs, narrower weights, storage
    tiers, transfer. Dollars that several are about are counted once.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.finops.allocate import AllocateRequest
    from groundplan.tasks.finops.recommend import recommend as task

    request = AllocateRequest(lake, "team", column, _day("--from", start), _day("--to", end), None, currency)
    return task(request, load_catalog()).to_dict()
