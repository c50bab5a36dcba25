"""``mbl devices``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.output import own_output, print_json, progress

if TYPE_CHECKING:
    from mobilebert_lite.benchmarks.phone.phones import FoundPhone
    from mobilebert_lite.benchmarks.reports.result import Snapshot


@options.command("devices")
@section("Phones", *options.phones,
         option("--known", is_flag=True, help="List the phone models known by name, in place of attached phones."))
@section("Output", options.as_json())
def command(connect: tuple[str, ...], servers: tuple[str, ...], port: int | None, known: bool, as_json: bool) -> None:
    """List attached phones with their state, and why a phone cannot be used.

    The column "profile" is the name that `mbl bench --device` takes.
    """
    from mobilebert_lite.benchmarks.phone import phones

    if known:
        _print(_profiles(), as_json, ("profile", "phone", "processor", "big cores"))
        return
    found = phones.find(phones.parse_servers(options.adb_servers(servers, port)), connect)
    rows = [_row(one, phones.state(one)) for one in found]
    if not rows:
        progress("no phone is attached; plug one in with USB debugging allowed (Settings > Developer options), or "
                 "--connect HOST:PORT")
    columns = ("profile", "phone", "serial", "server", "Android", "battery", "temperature", "thermal", "state")
    _print(rows, as_json, columns if any(row["server"] for row in rows) else
           tuple(column for column in columns if column != "server"))


def _row(one: FoundPhone, state: Snapshot | None) -> dict[str, Any]:
    from mobilebert_lite.benchmarks.phone.state import THERMAL, objections

    row: dict[str, Any] = {"serial": one.attached.serial, "server": str(one.server) if one.server.arguments else None,
                           "state": one.attached.state, "usable": one.device is not None}
    if one.device is None or state is None:
        return {**row, "problem": one.problem}
    status = state.thermal_status
    return {**row, "profile": one.device.profile, "phone": one.device.title, "Android": one.device.system,
            "fingerprint": one.device.fingerprint, "abi": one.device.abi, "emulated": one.device.emulated,
            "battery": state.battery_percent, "charging": state.charging, "temperature": state.temperature_c,
            "thermal": None if status is None else THERMAL[min(status, len(THERMAL) - 1)],
            "objections": objections(state, one.device.cores)}


def _profiles() -> list[dict[str, Any]]:
    from mobilebert_lite.benchmarks.phone.profiles import profiles

    return [{"profile": one.name, "phone": one.title, "processor": one.soc,
             "big cores": ",".join(map(str, one.big_cpus))} for one in profiles().values()]


def _print(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    if as_json:
        print_json(rows)
    elif rows:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        from mobilebert_lite.errors import one_line

        table = Table(*columns)
        for row in rows:
            table.add_row(*(Text(one_line(_shown(row, column))) for column in columns))
        console = Console(highlight=False, width=None if _is_terminal() else 160)
        with own_output():
            console.print(table)


def _is_terminal() -> bool:
    import sys

    return sys.stdout.isatty()


def _shown(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    if column == "state":
        return str(row.get("problem") or "; ".join(row.get("objections", ())) or "ready")
    if value is None:
        return ""
    if column == "phone":
        return f"{value} EMULATED" if row.get("emulated") else str(value)
    if column == "battery":
        return f"{value:.0f} %" + (", charging" if row.get("charging") else "")
    return f"{value:.1f} °C" if column == "temperature" else str(value)
