"""Measures how well declared deliveries are verified: honest and dishonest portfolios on recorded and on simulated loads.

Without options it takes the two London homes of the package opendsm 1.2.7, where set-up has left it in `var`, and simulated
homes and businesses. Every table stands beside the industry's baseline BL01 with its in-day adjustment, two naive checks and a
CUSUM, in the same run. Intervals (95 %) are over loads drawn with replacement: all meters that repeat a load are drawn together.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from fmar_spark.evaluation.delivery_loads import Loads, read_london_homes, read_recorded, simulate_loads
from fmar_spark.evaluation.delivery_placebos import measure_placebos
from fmar_spark.evaluation.delivery_portfolios import Portfolio, build_portfolio
from fmar_spark.evaluation.delivery_rates import (
    Rate,
    Traces,
    average_by_load,
    find_flags,
    find_threshold,
    median_delay,
    rate_false_flags,
    rate_found,
)
from fmar_spark.evaluation.delivery_scenarios import (
    CHECKS,
    Pair,
    Seen,
    act_honestly,
    claim_phantoms,
    credit_nothing,
    deliver_little,
    find_signs,
    heat_portfolios,
    inflate_baselines,
    mix_portfolio,
    move_load,
    number_loads,
    pair_up,
    see,
    turn_after,
    use_late_clock,
    use_noisy_meter,
)
from fmar_spark.kernels.delivery.verdicts import ONE_OF_SEVERAL, SUSPECT
from fmar_spark.kernels.delivery.verification import VerificationRules
from fmar_spark.kernels.window import Floats, Ints
from fmar_spark.settings.bounds import whole_from

PACKAGE = Path(__file__).resolve().parents[1] / "var" / "opendsm-1.2.7-py3-none-any.whl"
RULES = VerificationRules()
FALSE_RATE = RULES.verdict.evidence.rate
DEFAULT_LEVEL = 1.0 / FALSE_RATE
EVENTS = 10
SIZES = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
PHANTOMS = (0.25, 0.5, 1.0)
MAIN_SIZE = 3.0
LEVELS = np.exp(np.linspace(0.0, 12.0, 241))
CUSUM_LEVELS = np.linspace(0.5, 60.0, 596)
SIGN_LIMIT = 4.0
ROC_LEVELS = (5.0, 20.0, 50.0, 100.0, 500.0)


def main() -> int:
    """Print every table for recorded loads, then for simulated ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--readings", type=Path, help="recorded loads: Parquet or CSV with series_id, timestamp_utc, kwh_import[, kwh_export]"
    )
    parser.add_argument("--weather", type=Path, help="of those that stand on British time: timestamp_utc, temp_c")
    parser.add_argument("--sites", type=Path, help="series_id and time_zone of those that stand elsewhere")
    parser.add_argument("--leave-out", default="", help="series of --readings that are not wanted, with commas between")
    parser.add_argument("--package", type=Path, default=PACKAGE, help="wheel with the London homes")
    parser.add_argument("--copies", type=whole_from(1), default=8, help="meters that repeat each recorded load (default: 8)")
    parser.add_argument("--simulated", type=whole_from(0), default=60, help="simulated loads, 0 for none (default: 60)")
    parser.add_argument("--seed", type=whole_from(0), default=1)
    arguments = parser.parse_args()
    with threadpool_limits(1):
        recorded = read_loads(arguments)
        if recorded:
            report("recorded loads", recorded, arguments.copies, arguments.seed)
        if arguments.simulated:
            report("simulated loads", simulate_loads(arguments.simulated, 420, arguments.seed), 2, arguments.seed)
    return 0


def read_loads(arguments: argparse.Namespace) -> list[Loads]:
    """The recorded loads that there are."""
    loads = read_london_homes(arguments.package) if arguments.package.exists() else []
    if not loads:
        print(f"{arguments.package}: not found, so no London homes; scripts/setup brings it")
    if arguments.readings:
        unwanted = frozenset(filter(None, arguments.leave_out.split(",")))
        loads += read_recorded(arguments.readings, arguments.weather, arguments.sites, unwanted)
    return loads


def report(title: str, loads: Sequence[Loads], copies: int, seed: int) -> None:
    """All tables of some loads."""
    names = [name for part in loads for name in part.names]
    print(f"\n# {title}: {len(names)}" + (f" ({', '.join(sorted(names))})" if len(names) < 40 else ""))
    report_placebos(loads)
    start = time.process_time()
    portfolios = [build_portfolio(part, copies, seed + place) for place, part in enumerate(loads)]
    events = sum(len(portfolio.events.meter) for portfolio in portfolios)
    meters = sum(len(portfolio.loads.names) for portfolio in portfolios)
    print(f"\n{meters} meters, {events} events of two hours, ten in 30 days; {time.process_time() - start:.0f} s of processor time")
    report_sizes(portfolios)
    report_curve(portfolios)
    report_behaviours(portfolios)
    report_pairs(portfolios)
    report_mixtures(portfolios)


def report_mixtures(portfolios: Sequence[Portfolio]) -> None:
    """Whom a portfolio's report names where a tenth of the assets claims phantoms."""
    print(f"\na tenth of the assets, of size {MAIN_SIZE:.0f}, claims phantoms; e-BH at a false discovery rate of 10 %")
    for share in PHANTOMS[1:]:
        for asked in (EVENTS, 2 * EVENTS):
            mixture = mix_portfolio(portfolios, claim_phantoms(share), MAIN_SIZE, asked, RULES)
            print(
                f"phantom {share:4.0%}, {asked} events: reported {mixture.found:.3f} of them; honest among the reported {mixture.wrong:.3f}"
            )


def report_placebos(loads: Sequence[Loads]) -> None:
    """The in-day baseline against BL01 with its adjustment, on two-hour sums of days without events."""
    found = measure_placebos(loads, RULES)
    print("\nplacebo events of two hours, notice one hour before; medians over loads, coverage as a mean over loads")
    print(f"{'':16s}{'loads':>6s} {'NRMSE':>8s} {'BL01':>8s} {'ratio to adjusted BL01':>26s} {'within 80 %':>24s} {'within 95 %':>24s}")
    for kind in (*sorted(set(found.kind)), "all"):
        rows = np.asarray([kind in (own, "all") for own in found.kind])
        ratio = interval_of_median(found.nrmse[rows] / found.reference_nrmse[rows])
        within = [average_of(values[rows]) for values in (found.within80, found.within95)]
        print(
            f"{kind:16s}{rows.sum():6d} {np.median(found.nrmse[rows]):8.3f} {np.median(found.reference_nrmse[rows]):8.3f}"
            f" {ratio.show(3):>26s} {within[0].show(3):>24s} {within[1].show(3):>24s}"
        )


def report_sizes(portfolios: Sequence[Portfolio]) -> None:
    """False flags and phantoms found, over sizes of assets, by every check."""
    print(f"\nshare of phantoms flagged within {EVENTS} events; sizes in root mean squared errors of the baseline over an event (declared)")
    print(
        f"{'size':>5s} {'check':22s} {'level':>7s} {'false flags a meter-month':>28s}"
        + "".join(f"{f'phantom {share:.0%}':>24s}" for share in PHANTOMS)
    )
    for size in SIZES:
        honest = see(portfolios, size, act_honestly, RULES)
        phantoms = [see(portfolios, size, claim_phantoms(share), RULES) for share in PHANTOMS]
        for name, column, level in list_checks(honest):
            rates = "".join(f"{rate_found(find_flags(seen[column], level), EVENTS).show(2):>24s}" for seen in phantoms)
            print(f"{size:5.1f} {name:22s} {level:7.1f} {rate_false_flags(find_flags(honest[column], level)).show(4):>28s}{rates}")


def list_checks(honest: Seen) -> list[tuple[str, int, float]]:
    """Name, column and level of every check: evidence at its stated rate, the tuned ones where honest assets reach that rate."""
    return [
        (f"{CHECKS[0]}, stated rate", 0, DEFAULT_LEVEL),
        (f"{CHECKS[0]}, measured", 0, find_threshold(honest[0], FALSE_RATE, LEVELS)),
        (f"{CHECKS[1]}, measured", 1, find_threshold(honest[1], FALSE_RATE, CUSUM_LEVELS)),
        (CHECKS[2], 2, 1.0),
        (CHECKS[3], 3, 1.0),
    ]


def report_curve(portfolios: Sequence[Portfolio]) -> None:
    """False flags against phantoms found, at several levels."""
    print(f"\nphantoms of 50 % found within {EVENTS} events against false flags a meter-month, by the level of the evidence")
    print(f"{'size':>5s} {'level':>7s} {'false flags a meter-month':>28s} {'found':>24s} {'median delay, events':>22s}")
    for size in (1.5, MAIN_SIZE):
        honest, phantom = (see(portfolios, size, act, RULES).evidence for act in (act_honestly, claim_phantoms(0.5)))
        for level in ROC_LEVELS:
            flags = find_flags(phantom, level)
            false = rate_false_flags(find_flags(honest, level))
            print(f"{size:5.1f} {level:7.0f} {false.show(4):>28s} {rate_found(flags, EVENTS).show(2):>24s} {median_delay(flags):22.0f}")


def report_behaviours(portfolios: Sequence[Portfolio]) -> None:
    """Honest and dishonest behaviours other than phantoms."""
    print(f"\nbehaviours at size {MAIN_SIZE:.0f}, evidence at its stated rate; the check against BL01 beside it")
    print(f"{'':52s}{'flags a meter-month':>28s}{f'flagged within {EVENTS}':>24s}{'delay':>8s}{'BL01: within 10':>24s}")
    plain = list(portfolios)
    before, after = (move_load(portfolios, share * MAIN_SIZE, is_after, RULES) for share, is_after in ((1.0, False), (0.5, True)))
    hot, inflated = heat_portfolios(portfolios, RULES), inflate_baselines(portfolios, MAIN_SIZE, RULES)
    rows = (
        ("honest", plain, act_honestly),
        ("honest, half delivered and half declared", plain, deliver_little),
        ("honest, asset meter 4 % off and 5 % noisy", plain, use_noisy_meter),
        ("honest, heat wave at all meters at once", hot, act_honestly),
        ("honest, half of the energy recovered afterwards", after, act_honestly),
        ("late by half an hour, all declared", plain, use_late_clock),
        ("load raised from notice to event, nothing delivered", before, claim_phantoms(1.0)),
        ("load raised on all days but at events", inflated, claim_phantoms(1.0)),
        ("phantom of 50 % with rebound", after, claim_phantoms(0.5)),
    )
    for name, tried, act in rows:
        seen = see(tried, MAIN_SIZE, act, RULES)
        print_behaviour(name, seen.evidence, seen.bl01)
    turned = see(portfolios, MAIN_SIZE, turn_after(3 * EVENTS, 0.5), RULES)
    late = [_after(trace, 3 * EVENTS) for trace in (turned.evidence, turned.bl01)]
    print_behaviour("honest for 30 events, then a phantom of 50 %", *late)
    changes = (
        ("nothing done", plain),
        ("load raised from notice to event", before),
        ("half recovered", after),
        ("raised on all days", inflated),
    )
    report_signs(list_loads(portfolios), changes)
    print("\ncredited where nothing is delivered and load is raised from notice to event; share of what is asked for, medians over meters")
    for name, changed in changes[:2]:
        own, reference = credit_nothing(changed, MAIN_SIZE)
        print(f"{name:52s}{own:8.2f}, adjusted BL01 {reference:6.2f}")


def report_signs(load: Ints, changes: Sequence[tuple[str, Sequence[Portfolio]]]) -> None:
    """What the surroundings of the events show, where loads were changed beside them."""
    print(f"\nsigns beside the energy over the first {EVENTS} events: share of assets beyond {SIGN_LIMIT:.0f} standard deviations")
    print(f"{'':52s}{'load raised before':>24s}{'rebound':>24s}{'step at enrolment':>24s}")
    for name, changed in changes:
        shares = [average_by_load(load, sign > SIGN_LIMIT) for sign in find_signs(changed, EVENTS)]
        print(f"{name:52s}" + "".join(f"{share.show(2):>24s}" for share in shares))


def print_behaviour(name: str, evidence: Traces, bl01: Traces) -> None:
    """One line."""
    flags = find_flags(evidence, DEFAULT_LEVEL)
    rates = f"{rate_false_flags(flags).show(4):>28s}{rate_found(flags, EVENTS).show(2):>24s}"
    print(f"{name:52s}{rates}{median_delay(flags):8.0f}{rate_found(find_flags(bl01, 1.0), EVENTS).show(2):>24s}")


def report_pairs(portfolios: Sequence[Portfolio]) -> None:
    """Two FSPs at one meter: who is called what after twenty events."""
    print(f"\ntwo FSPs at one meter after {2 * EVENTS} events, both of size {MAIN_SIZE:.0f}; share of meters")
    print(f"{'':58s}{'first suspect':>24s}{'second suspect':>24s}{'one of several':>24s}")
    load = list_loads(portfolios)
    for name, apart, delivered in (
        ("both honest, half of the events apart", 0.5, (1.0, 1.0)),
        ("second delivers nothing, half of the events apart", 0.5, (1.0, 0.0)),
        ("both claim one and the same load, always together", 0.0, (0.5, 0.5)),
        ("second delivers nothing, always together", 0.0, (1.0, 0.0)),
    ):
        verdict = pair_up(portfolios, Pair(MAIN_SIZE, apart, delivered), 2 * EVENTS)
        shares = [average_by_load(load, is_so) for is_so in (*(verdict == SUSPECT).T, (verdict == ONE_OF_SEVERAL).any(axis=1))]
        print(f"{name:58s}" + "".join(f"{share.show(2):>24s}" for share in shares))


def list_loads(portfolios: Sequence[Portfolio]) -> Ints:
    """A number for the load of every meter."""
    return np.concatenate([number_loads(portfolio) + 1000 * place for place, portfolio in enumerate(portfolios)])


def average_of(values: Floats) -> Rate:
    """Mean over loads with its interval."""
    drawn = values[np.random.default_rng(1).integers(len(values), size=(400, len(values)))].mean(axis=1)
    return Rate(float(values.mean()), *(float(end) for end in np.quantile(drawn, [0.025, 0.975])))


def interval_of_median(values: Floats) -> Rate:
    """Median over loads with its interval."""
    drawn = np.median(values[np.random.default_rng(1).integers(len(values), size=(400, len(values)))], axis=1)
    return Rate(float(np.median(values)), *(float(end) for end in np.quantile(drawn, [0.025, 0.975])))


def _after(trace: Traces, events: int) -> Traces:
    """The part of a trace after so many events, counted anew; what was flagged before counts at once."""
    kept = trace.order >= events
    return Traces(trace.asset[kept], trace.load[kept], trace.order[kept] - events, trace.day[kept], trace.value[kept])


if __name__ == "__main__":
    sys.exit(main())
