"""An evaluation as tables of texts: the terminal, the text file and the page show the same ones."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.domain.figures import write_count

CLASS_WORDS: Final = {asset.value: facts.words for asset, facts in ASSET_FACTS.items()}
SUBJECT_WORDS: Final = {
    "confuser": "look-alike",
    "history": "days with readings",
    "missing": "share of half-hours missing",
    "weather": "weather",
    "export_register": "export register",
    "domestic": "premises",
}
UNIT_WORDS: Final = {"kw": "kW", "kwh": "kWh", "kwp": "kWp"}
GROUP_FIGURES: Final = {"auc": "AUC", "recall": "recall", "false_alarm_share": "false alarms", "right": "right of answered"}
AGAIN_FIGURES: Final = {
    "auc": "AUC",
    "recall": "recall",
    "precision": "precision",
    "false_alarm_share": "false alarms",
    "ece": "calibration error",
    "unanswered_share": "unanswered",
    "right": "right of answered",
}
SHARES: Final = frozenset(
    {
        "precision",
        "recall",
        "false_alarm_share",
        "unanswered_share",
        "right_share",
        "coverage",
        "within_15_pct",
        "within_7_days",
        "found_share",
        "false_share",
        "median_error",
        "f1",
    }
)
NOTHING: Final = "–"
TOO_FEW: Final = "too few"
TRANSFER_ROWS: Final = 30


class TextTable(NamedTuple):
    """A table for reading; every cell is text."""

    name: str
    title: str
    note: str
    columns: tuple[tuple[str, bool], ...]
    """Heading, and whether it holds numbers."""
    rows: list[list[str]]
    kind: str
    part: str
    """Overview, score, groups, circumstances, mistakes, answers or transfer."""
    links: tuple[str, ...] = ()
    """MPAN of each row whose evidence is at hand."""


def list_tables(document: Mapping[str, Any]) -> Iterator[TextTable]:
    """All tables of an evaluation, in reading order."""
    for kind, figures in document["kinds"].items():
        for table in _tabulate_overview(kind, figures):
            yield from _skip_empty(table)
        yield from _skip_empty(_tabulate_detection(kind, figures))
        yield from _skip_empty(_tabulate_tiers(kind, figures))
        yield from _skip_empty(_tabulate_sizes(kind, figures))
        yield from _skip_empty(_tabulate_events(kind, figures))
        yield from _skip_empty(_tabulate_dates(kind, figures))
        for subject, groups in figures["groups"].items():
            for name, words in GROUP_FIGURES.items():
                yield _tabulate_groups(kind, SUBJECT_WORDS[subject], groups, (name, words))
        yield from _tabulate_circumstances(kind, figures["circumstances"])
        yield from _skip_empty(_tabulate_mistakes(kind, figures["mistakes"]))
        if figures["answers"] is not None:
            yield from _skip_empty(_tabulate_answers(kind, figures["answers"]))
    for kind, transfer in document.get("transfer", {}).get("kinds", {}).items():
        yield _tabulate_transfer(kind, transfer, document["transfer"]["reference"])


def _tabulate_circumstances(kind: str, circumstances: Mapping[str, Any]) -> Iterator[TextTable]:
    if not circumstances:
        return
    for name, words in AGAIN_FIGURES.items():
        groups = {one: {"classes": classes} for one, classes in circumstances.items()}
        yield _tabulate_groups(kind, "circumstance", groups, (name, words))
    yield _tabulate_sizes_again(kind, circumstances)


def is_overview(table: TextTable) -> bool:
    """Whether a terminal shows it without being asked for all."""
    return table.part == "overview"


def _tabulate_overview(kind: str, figures: Mapping[str, Any]) -> Iterator[TextTable]:
    """The figures by which an evaluation is compared with another, a line a class."""
    answers, extents = [], []
    for asset, mine in figures["classes"].items():
        ever, high = mine["ever"], mine["ever"]["tiers"]["high"]["right_share"]
        if not ever["with"] + ever["without"]:
            continue
        written = [write_figure(ever[name], name) for name in ("recall", "false_alarm_share", "auc")]
        counts = [
            f"{ever[share]['meters']:,} of {ever[label]:,}" for share, label in (("recall", "with"), ("false_alarm_share", "without"))
        ]
        answers.append([CLASS_WORDS[asset], *counts, *written, write_figure(high, "right_share")])
        size = next(iter(mine["sizes"].values()), None)
        sizes = [write_figure(size[name], name) if size and size["known"] else NOTHING for name in ("median_error", "coverage")]
        dates = [write_figure(one["within_7_days"], "within_7_days") if one["known"] else NOTHING for one in mine["dates"].values()]
        episodes = _write_events(mine["events"]["all"], "f1") if mine["events"] else NOTHING
        if ever["with"]:
            extents.append([CLASS_WORDS[asset], *sizes, *dates, episodes])
    titles = ("Assets found", "Sizes, dates and episodes")
    headings = ("class", "#answered, with", "#answered, without", "#found", "#false alarms", "#AUC", "#right in tier high")
    note = (
        "Answered: of the meters labelled with the asset at some time, or without it, those whose question was answered. "
        "Found: of the answered ones with it; false alarms: of the answered ones without it. In brackets the 95 % interval over meters."
    )
    yield TextTable(
        "overview", f"{titles[0]}, {write_count(figures['meters'], f'{kind} meter')}", note, _columns(*headings), answers, kind, "overview"
    )
    columns = _columns("class", "#size, median error", "#80 % interval holds", "#appeared within 7 days", "#removed", "#half-hours, F1")
    yield TextTable("overview-extent", f"{titles[1]}, {kind} meters", "", columns, extents, kind, "overview")


def write_figure(figure: Mapping[str, Any] | None, name: str) -> str:
    """A figure with its interval, or that it rests on too few meters."""
    if figure is None:
        return NOTHING
    if figure["value"] is None:
        return f"{TOO_FEW} ({figure['meters']})"
    scale, digits, unit = (100, 0, " %") if name in SHARES else (1, 1, "") if name == "median_days_off" else (1, 3, "")
    text = f"{figure['value'] * scale:.{digits}f}{unit}"
    if figure["interval"] is None:
        return text
    low, high = (f"{one * scale:.{digits}f}" for one in figure["interval"])
    return f"{text} ({low}–{high})"


def _skip_empty(table: TextTable) -> Iterator[TextTable]:
    if table.rows:
        yield table


def _columns(*headings: str) -> tuple[tuple[str, bool], ...]:
    """Headings; those that begin with # hold numbers."""
    return tuple((heading.removeprefix("#"), heading.startswith("#")) for heading in headings)


def _tabulate_detection(kind: str, figures: Mapping[str, Any]) -> TextTable:
    rows = []
    names = ("auc", "precision", "recall", "false_alarm_share", "ece", "unanswered_share")
    for question, asset, mine in _list_questions(figures):
        counts = [f"{mine['with']:,}", f"{mine['without']:,}", f"{mine['right']:,} of {mine['answered']:,}"]
        rows.append([CLASS_WORDS[asset], question, *counts, *(write_figure(mine[name], name) for name in names)])
    headings = ("class", "there", "#with", "#without", "#right", "#AUC", "#precision", "#recall", "#false alarms", "#ECE", "#unanswered")
    note = (
        "Ever: was it there at some time in the window, as a label says; now: is it there on the last day, known where days are. "
        "Yes from a probability of 0.5. Every figure but unanswered is of the answered meters. In brackets the 95 % interval over meters. "
        "Meters whose label is empty are not counted."
    )
    return TextTable(
        "detection", f"Detection, {write_count(figures['meters'], f'{kind} meter')}", note, _columns(*headings), rows, kind, "score"
    )


def _tabulate_tiers(kind: str, figures: Mapping[str, Any]) -> TextTable:
    rows = []
    for question, asset, mine in _list_questions(figures):
        for tier, one in mine["tiers"].items():
            written = [write_figure(one[name], name) for name in ("precision", "recall", "right_share")]
            rows.append([CLASS_WORDS[asset], question, tier, *written, f"{one['right']:,} of {one['answers']:,}"])
    headings = ("class", "there", "tier", "#precision", "#recall", "#right in this tier", "#right")
    note = "Precision and recall of assets reported in this tier or a higher one; right: answers of this tier alone, present or absent."
    return TextTable("tiers", f"Tiers, {kind} meters", note, _columns(*headings), rows, kind, "score")


def _list_questions(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Question, class and figures of every question with labelled meters."""
    for question in ("ever", "now"):
        for asset, mine in figures["classes"].items():
            figures_of_question = mine[question]
            if figures_of_question["with"] + figures_of_question["without"] and (question == "ever" or figures_of_question["with"]):
                yield question, asset, figures_of_question


def _tabulate_sizes(kind: str, figures: Mapping[str, Any]) -> TextTable:
    rows = []
    for mine in figures["classes"].values():
        for name, one in mine["sizes"].items():
            if one["known"]:
                few = "; ".join(f"{error:.0%}" for error in one["errors"] or [])
                median = write_figure(one["median_error"], "median_error") + (f": {few}" if few else "")
                written = [write_figure(one[what], what) for what in ("within_15_pct", "coverage")]
                rows.append([name, f"{one['known']:,}", f"{one['answered']:,}", median, *written])
    headings = ("size", "#known", "#answered", "#median relative error", "#within 15 %", "#80 % interval holds")
    note = "Of meters that have the asset on the last day. The stated interval should hold 80 %."
    return TextTable("sizes", f"Sizes, {kind} meters", note, _columns(*headings), rows, kind, "score")


def _tabulate_events(kind: str, figures: Mapping[str, Any]) -> TextTable:
    rows = []
    for asset, mine in figures["classes"].items():
        if mine["events"]:
            whole, found = mine["events"]["all"], mine["events"]["found"]
            names = ("f1", "precision", "recall", "energy_ratio")
            rows.append(
                [CLASS_WORDS[asset], f"{whole['meters']:,}", *(_write_events(whole, name) for name in names), _write_events(found, "f1")]
            )
    headings = ("class", "#meters", "#F1", "#precision", "#recall", "#energy reported / true", "#F1 where found")
    note = (
        "Half-hours of meters that have the asset; one on which it was missed counts in full. Where found: of meters reported to have it."
    )
    return TextTable("events", f"Episodes against the truth, {kind} meters", note, _columns(*headings), rows, kind, "score")


def _write_events(figures: Mapping[str, Any], name: str) -> str:
    """A figure with its interval; of too few meters the plain figure, said to be of so few."""
    figure = figures[name]
    if figure["value"] is None and figures["pooled"][name] is not None:
        plain = {"value": figures["pooled"][name], "interval": None, "meters": figures["meters"]}
        return f"{write_figure(plain, name)} (of {figures['meters']} only)"
    return write_figure(figure, name)


def _tabulate_dates(kind: str, figures: Mapping[str, Any]) -> TextTable:
    rows = []
    names = ("found_share", "median_days_off", "within_7_days", "coverage", "false_share")
    for asset, mine in figures["classes"].items():
        for what, one in mine["dates"].items():
            if one["known"] or one["false_share"]["meters"]:
                rows.append([CLASS_WORDS[asset], what, f"{one['known']:,}", *(write_figure(one[name], name) for name in names)])
    headings = ("class", "date", "#known", "#reported", "#median days off", "#within 7 days", "#80 % interval holds", "#false dates")
    note = "Within 7 days: of all known dates, reported or not. False dates: of meters that have the asset throughout."
    return TextTable("dates", f"Dates, {kind} meters", note, _columns(*headings), rows, kind, "score")


def _tabulate_groups(kind: str, subject: str, groups: Mapping[str, Any], figure: tuple[str, str]) -> TextTable:
    name, words = figure
    rows = []
    for group, one in groups.items():
        meters = [f"{one['meters']:,}"] if "meters" in one else []
        rows.append([group, *meters, *(_write_group(one["classes"][asset.value], name) for asset in ASSET_CLASSES)])
    part = "circumstances" if subject == "circumstance" else "groups"
    headings = (subject, *(["#meters"] if part == "groups" else []), *(f"#{CLASS_WORDS[asset]}" for asset in ASSET_CLASSES))
    title = f"{words[0].upper()}{words[1:]} by {subject}, {kind} meters"
    return TextTable(f"{subject}-{name}".replace(" ", "_"), title, "", _columns(*headings), rows, kind, part)


def _write_group(mine: Mapping[str, Any], name: str) -> str:
    return f"{mine['right']:,} of {mine['answered']:,}" if name == "right" else write_figure(mine[name], name)


def _tabulate_sizes_again(kind: str, circumstances: Mapping[str, Any]) -> TextTable:
    first = next(iter(circumstances.values()))
    sizes = [(asset, name) for asset, mine in first.items() for name, one in mine["sizes"].items() if one["known"]]
    rows = []
    for circumstance, classes in circumstances.items():
        sizes_again = [classes[asset]["sizes"][name] for asset, name in sizes]
        rows.append([circumstance, *(write_figure(one["median_error"], "median_error") for one in sizes_again)])
    title = f"Median relative size error by circumstance, {kind} meters"
    return TextTable(
        "circumstance-sizes", title, "", _columns("circumstance", *(f"#{name}" for _, name in sizes)), rows, kind, "circumstances"
    )


def _tabulate_mistakes(kind: str, mistakes: Mapping[str, Any]) -> TextTable:
    rows, links = [], []
    for asset, found in mistakes.items():
        for one in found:
            links.append(one["mpan_id"])
            answer = "present" if one["probability"] >= 0.5 else "absent"
            confidence = max(one["probability"], 1 - one["probability"])
            alike = ", ".join(one["confusers"] or []) or NOTHING
            others = ", ".join(CLASS_WORDS[name] for name in one["also_there"]) or NOTHING
            said = f"{answer}, {confidence:.0%} confident"
            rows.append([CLASS_WORDS[asset], one["name"], said, _write_truth(one), alike, others, one["evidence"] or NOTHING])
    headings = ("class", "meter", "said, wrongly", "truth", "look-alikes", "also there", "evidence")
    note = "Each with its evidence in mistakes.html, or: ./scripts/report --lake LAKE --meters mistakes.txt"
    return TextTable("mistakes", f"Most confident mistakes, {kind} meters", note, _columns(*headings), rows, kind, "mistakes", tuple(links))


def _write_truth(one: Mapping[str, Any]) -> str:
    """What was there, how large and since when."""
    sizes = [f"{name.rpartition('_')[0]} {value:g} {UNIT_WORDS[name.rpartition('_')[2]]}" for name, value in one["true_sizes"].items()]
    days = [f"{word} {one[name]}" for word, name in (("from", "true_appeared"), ("to", "true_removed")) if one[name]]
    return "; ".join([*sizes, *days]) or ("there" if one["true_ever"] else NOTHING)


def _tabulate_answers(kind: str, answers: list[dict[str, Any]]) -> TextTable:
    rows = []
    for one in answers:
        truth = {1: "yes", 0: "no", None: NOTHING}[one["true_ever"]]
        stated = NOTHING if one["probability"] is None else f"{one['probability']:.2f}"
        present = one["status"] if one["present_probability"] is None else f"{one['present_probability']:.2f}, {one['tier']}"
        rows.append([one["name"], CLASS_WORDS[one["asset_class"]], truth, stated, present, one["evidence"] or NOTHING])
    headings = ("meter", "class", "label", "#p(ever)", "#p(now), tier", "evidence")
    return TextTable("answers", f"Every labelled answer, {kind} meters", "", _columns(*headings), rows, kind, "answers")


def _tabulate_transfer(kind: str, transfer: Mapping[str, Any], reference: str) -> TextTable:
    rows = []
    for one in transfer["features"][:TRANSFER_ROWS]:
        beyond = "" if one["is_beyond_chance"] else " (chance)"
        shares = [f"{one[name]:.0%}" for name in ("outside_share", "real_missing", "simulated_missing")]
        near = [f"{one['meters']}", f"{one['ks']:.2f}{beyond}", f"{one['middle']:.2f}", f"{one['shift']:.2f}"]
        rows.append([one["feature"], *near, *shares, f"{one['sway']:.2f}", f"{one['rank']:.3f}"])
    distances = ("#meters", "#KS", "#middle", "#shift, IQR")
    headings = ("feature", *distances, "#outside 1–99 %", "#missing", "#missing, simulated", "#sway", "#KS x sway")
    note = (
        f"Against {reference}, of like size. Middle: share of simulated meters below the middle measured one. "
        "Sway: log odds by which answers move when the feature is shuffled among simulated meters. "
        f"First {TRANSFER_ROWS} of {len(transfer['features'])} features; all are in evaluation.json."
    )
    return TextTable(
        "transfer",
        f"Transfer: simulated against {write_count(transfer['meters'], f'{kind} meter')}",
        note,
        _columns(*headings),
        rows,
        kind,
        "transfer",
    )
