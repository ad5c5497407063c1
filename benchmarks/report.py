"""Figures -> ratios, tables, a plot, and the comparison with figures of before."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from payloads import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from load import Round
    from payloads import Scenario

FIELDS: Final = ("rate", "p50", "p99", "cpu", "peak")
WORSE: Final = 1.35
"""How much worse a ratio may be than before: the machines that measure are noisy."""

Figures = dict[str, dict[str, dict[str, float]]]
"""Scenario -> server -> field -> median of the rounds."""


def summarize(rounds: Mapping[str, Mapping[str, Sequence[Round]]]) -> Figures:
    """Return the medians of the rounds."""
    return {
        scenario: {
            server: {name: statistics.median(getattr(each, name) for each in of_server) for name in FIELDS}
            for server, of_server in by_server.items()
        }
        for scenario, by_server in rounds.items()
    }


def ratios(figures: Figures) -> dict[str, dict[str, float]]:
    """Return, by scenario, how many times faster than each rival srv is, and how many times the floor's CPU it takes.

    ``rate:RIVAL`` compares requests per second, ``cpu:RIVAL`` CPU; more is better. Of ``cpu:floor`` less is better.
    """
    found: dict[str, dict[str, float]] = {}
    for scenario in SCENARIOS:
        measured = figures.get(scenario.name)
        if measured is None:
            continue
        ours, of_scenario = measured["srv"], found.setdefault(scenario.name, {})
        for server, theirs in measured.items():
            if server.startswith("floor"):
                of_scenario["cpu:floor"] = ours["cpu"] / theirs["cpu"]
            elif server != "srv":
                of_scenario[f"rate:{server}"] = ours["rate"] / theirs["rate"]
                of_scenario[f"cpu:{server}"] = theirs["cpu"] / ours["cpu"]
        against = figures.get(scenario.against, {}).get("mlserver")
        if against is not None:
            of_scenario["rate:mlserver"] = ours["rate"] / against["rate"]
            of_scenario["cpu:mlserver"] = against["cpu"] / ours["cpu"]
    return found


def find_regressions(now: Mapping[str, Mapping[str, float]], before: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a line for each ratio of CPU that is worse than before by more than :data:`WORSE`."""
    lines: list[str] = []
    for scenario, of_scenario in now.items():
        for name, ratio in of_scenario.items():
            old = before.get(scenario, {}).get(name)
            if old is None or not name.startswith("cpu"):
                continue
            factor = ratio / old if name == "cpu:floor" else old / ratio
            if factor > WORSE:
                lines.append(f"{scenario}, {name}: {old:.2f} before, {ratio:.2f} now")
    return lines


def is_met(scenario: Scenario, of_scenario: Mapping[str, float]) -> str:
    """Return ``yes``, ``no`` or, for a scenario without targets, nothing."""
    met: list[bool] = []
    if scenario.faster is not None and "cpu:mlserver" in of_scenario:
        met += [of_scenario[f"{name}:mlserver"] >= scenario.faster for name in ("rate", "cpu")]
    if scenario.floor is not None and "cpu:floor" in of_scenario:
        met.append(of_scenario["cpu:floor"] <= scenario.floor)
    return "" if not met else "yes" if all(met) else "no"


def ratio_table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return the ratios with their targets, as Markdown."""
    head = [
        "scenario",
        "MLServer, req/s",
        "MLServer, CPU",
        "target",
        "one worker, CPU",
        "KServe, req/s",
        "KServe, CPU",
        "CPU of the floor's",
        "target",
        "met",
    ]
    rows = [head, ["---"] * len(head)]
    for scenario in SCENARIOS:
        each = found.get(scenario.name)
        if each is None:
            continue
        rows.append(
            [
                scenario.name,
                _times(each.get("rate:mlserver")),
                _times(each.get("cpu:mlserver")),
                "" if scenario.faster is None else f"≥ {scenario.faster:g}x",
                _times(each.get("cpu:mlserver-worker")),
                _times(each.get("rate:kserve")),
                _times(each.get("cpu:kserve")),
                _times(each.get("cpu:floor")),
                "" if scenario.floor is None else f"≤ {scenario.floor:g}x",
                is_met(scenario, each),
            ]
        )
    return markdown(rows)


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.0f}x"


def figure_table(figures: Figures) -> str:
    """Return the figures themselves, as Markdown."""
    rows = [["scenario", "server", "req/s", "p50, ms", "p99, ms", "CPU, us", "peak, MiB"]]
    rows.append(["---"] * len(rows[0]))
    for scenario, by_server in figures.items():
        for index, (server, each) in enumerate(by_server.items()):
            rows.append(
                [
                    "" if index else scenario,
                    server,
                    f"{each['rate']:,.0f}" if each["rate"] >= 10 else f"{each['rate']:.1f}",
                    f"{each['p50']:.2f}",
                    f"{each['p99']:.2f}",
                    f"{each['cpu']:,.0f}",
                    f"{each['peak']:,.0f}",
                ]
            )
    return markdown(rows)


def growth_table(growth: Sequence[Mapping[str, float]]) -> str:
    """Return CPU and memory against the size of a request, as Markdown."""
    rows = [["request, MiB", "CPU, ms", "CPU per MiB, ms", "peak memory above idle, MiB", "of the request's size"]]
    rows.append(["---"] * len(rows[0]))
    rows += [
        [
            f"{each['size']:,.0f}",
            f"{each['cpu']:,.2f}",
            f"{each['cpu'] / each['size']:.2f}",
            f"{each['grown']:,.0f}",
            f"{each['grown'] / each['size']:.2f}x",
        ]
        for each in growth
    ]
    return markdown(rows)


def codec_table(codecs: Mapping[str, Mapping[str, float]]) -> str:
    """Return microseconds of codecs, the project's first, as Markdown; others with their ratio to it."""
    names = list(dict.fromkeys(name for each in codecs.values() for name in each))
    rows = [["", *(f"{name}, us" for name in names)], ["---"] * (len(names) + 1)]
    for what, each in codecs.items():
        cells = [f"{each[name]:,.1f} ({each[name] / each['srv']:.2f}x)" if name in each else "" for name in names]
        rows.append([what, f"{each['srv']:,.1f}", *cells[1:]])
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return a table, whose first row is its head."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def replace_between(text: str, name: str, content: str) -> str:
    """Return a page with `content` between its markers ``<!-- name -->`` and ``<!-- /name -->``."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = text.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the page has no {start} … {end}")
    return f"{before}{start}\n\n{content}\n\n{end}{after}"


def plot(found: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Draw how many times less CPU srv takes than each rival."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    names = [scenario.name for scenario in SCENARIOS if scenario.name in found][::-1]
    rivals = {"cpu:mlserver": ("MLServer", "#c2410c"), "cpu:kserve": ("KServe", "#2563eb")}
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(names) + 1.2))
    for offset, (key, (label, color)) in zip((0.2, -0.2), rivals.items(), strict=True):
        places = [place for place, name in enumerate(names) if key in found[name]]
        bars = axes.barh(
            [place + offset for place in places],
            [found[names[place]][key] for place in places],
            0.38,
            label=label,
            color=color,
        )
        axes.bar_label(bars, fmt=_times, padding=3, fontsize=8)
    axes.set_xscale("log")
    axes.axvline(1, color="#888888", linewidth=1)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_xlabel("times the CPU of srv for one request (logarithmic)")
    axes.legend(loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    # A date in the file would change it with each run.
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
