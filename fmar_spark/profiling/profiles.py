"""One pass over the history of every meter: from meter-days to the wide row of ``silver.meter_profiles``."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.domain.words import PRESENT_FROM
from fmar_spark.engine.arrow_columns import Values, build_column, build_structs, group_by_meter, list_rows, to_dates
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.kernels.battery.cycles import StorageRules
from fmar_spark.kernels.battery.detector import BatteryRules
from fmar_spark.kernels.dating import date_asset, find_shown_removals, presence_evidence, weigh_removals, weigh_sudden_removals
from fmar_spark.kernels.examination import WEATHER_KNOWN_SHARE, Examination, SizingRules, examine_meters
from fmar_spark.kernels.solar.detector import PvRules
from fmar_spark.kernels.sufficiency import VERDICTS, Sufficiency, check_history
from fmar_spark.kernels.window import Bools, Floats
from fmar_spark.profiling.baselines import BaselineStanding, ScoreRules, build_standing, read_rules, score_baselines
from fmar_spark.profiling.caveats import temper_answers
from fmar_spark.profiling.event_book import POSITION, EventAnswers, EventBook
from fmar_spark.profiling.parts import (
    Scored,
    build_availabilities,
    build_capabilities,
    build_changes,
    build_events,
    change_dates,
    keep_present,
    measure_assets,
    read_slot_starts,
)
from fmar_spark.profiling.sentences import describe_evidence
from fmar_spark.profiling.undecided import find_undecided
from fmar_spark.profiling.verdicts import (
    Scorer,
    TierRules,
    find_answerable,
    name_lacks,
    name_statuses,
    name_tiers,
    weigh_answer,
)
from fmar_spark.profiling.windows import MeterGroup, WeatherBook, group_meters
from fmar_spark.settings.sections import Settings, SizingSettings


class ProfileRules(NamedTuple):
    """What a user may set about the pass."""

    min_days: int
    max_missing_share: float
    window_months: int
    report_probability: float
    tiers: TierRules
    sizing: SizingRules
    baseline: ScoreRules


def read_profile_rules(settings: Settings) -> ProfileRules:
    """The rules as the settings have them."""
    return ProfileRules(
        min_days=settings.sufficiency.min_days,
        max_missing_share=settings.sufficiency.max_missing_share,
        window_months=settings.sufficiency.window_months,
        report_probability=settings.characterise.report_probability,
        tiers=TierRules(settings.characterise.high_tier, settings.characterise.medium_tier),
        sizing=read_sizing(settings.sizing),
        baseline=read_rules(settings.baseline),
    )


def read_sizing(settings: SizingSettings) -> SizingRules:
    """What sizes rest on, as the settings have it."""
    storage = StorageRules(settings.battery_hours, settings.battery_round_trip, settings.battery_kwh)
    return SizingRules(PvRules(performance_ratio=settings.pv_performance_ratio), BatteryRules(storage=storage))


class _Examined(NamedTuple):
    """Meters that share a calendar, before a classifier has scored them."""

    group: MeterGroup
    sufficiency: Sufficiency
    examination: Examination


@dataclass(frozen=True)
class ProfilePass:
    """Turns the rows of whole meters into profiles; picklable, and testable on an Arrow table."""

    scorer: Scorer
    weather: WeatherBook
    rules: ProfileRules
    run_id: str
    run_date: date
    events: EventBook = field(default_factory=EventBook)
    """Events whose times are known; their evidence takes the place of what demand response shows by itself."""

    def __call__(self, chunk: pa.Table) -> Iterator[pa.RecordBatch]:
        """One record batch of profiles for each group of meters that share a calendar; all are scored at once."""
        examined = [self._examine(group) for group in group_meters(chunk, self.weather, self.rules.window_months)]
        if not examined:
            return
        scores = self.scorer.predict(np.concatenate([one.examination.features for one in examined]))
        ends = np.cumsum([len(one.group.mpan_ids) for one in examined])
        for one, raw in zip(examined, np.split(scores, ends[:-1]), strict=True):
            yield self._profile(one, raw)

    def _examine(self, group: MeterGroup) -> _Examined:
        sufficiency = check_history(group.window, self.rules.min_days, self.rules.max_missing_share)
        return _Examined(group, sufficiency, examine_meters(group.window, sufficiency, self.rules.sizing))

    def _profile(self, examined: _Examined, raw: Floats) -> pa.RecordBatch:
        """Profiles of meters that share a calendar, one row each."""
        group, sufficiency, examination = examined
        by_events = self.events.answer(group, examination)
        if by_events is not None:
            examination = examination._replace(findings={**examination.findings, ASSET_CLASSES[POSITION]: by_events.findings})
        scored, statuses = self._score(group, sufficiency, examination, (raw, by_events))
        baseline = score_baselines(group.window, examination.net_kw, sufficiency, self.rules.baseline)
        evidence = describe_evidence(scored, self.scorer, sufficiency.days_seen)
        if by_events is not None:
            for row in np.flatnonzero(by_events.is_shown & ~np.isnan(scored.probability[:, POSITION])):
                evidence[row * len(ASSET_CLASSES) + POSITION] = by_events.sentences[row]
        return self._build_rows(group, sufficiency, scored, (*statuses, evidence), baseline)

    def _score(
        self, group: MeterGroup, sufficiency: Sufficiency, examination: Examination, answers: tuple[Floats, EventAnswers | None]
    ) -> tuple[Scored, tuple[list[str], list[str | None]]]:
        raw, by_events = answers
        raw = temper_answers(raw, examination.findings, self.rules.tiers)
        undecided = find_undecided(raw, examination.findings, self.rules.tiers)
        characterised, unobservable = find_answerable(examination.findings, sufficiency, raw, self.rules.tiers, undecided)
        if by_events is not None:
            is_answerable = characterised[:, POSITION] | unobservable[:, POSITION]
            raw[by_events.is_shown, POSITION] = by_events.probability[by_events.is_shown]
            characterised[:, POSITION] = np.where(by_events.is_concerned, is_answerable & by_events.is_shown, characterised[:, POSITION])
            unobservable[:, POSITION] = np.where(by_events.is_concerned, is_answerable & ~by_events.is_shown, unobservable[:, POSITION])
        probability = np.where(characterised, raw, np.nan)
        present = np.full_like(probability, np.nan)
        reported: Bools = np.nan_to_num(probability) >= self.rules.report_probability
        histories = {}
        for position, asset in enumerate(ASSET_CLASSES):
            history = date_asset(examination.findings[asset], asset, reported[:, position])
            still = self.scorer.predict_present(asset, raw[:, position], presence_evidence(history))
            daily = examination.findings[asset].daily
            if ASSET_FACTS[asset].is_sparse:
                still = weigh_removals(history, daily, still)
            elif ASSET_FACTS[asset].is_seasonal:
                if ASSET_FACTS[asset].is_sudden:
                    still = weigh_sudden_removals(history, daily, still, raw[:, position])
                still = np.where(
                    find_shown_removals(history, examination.findings[asset], asset, group.window.calendar.season), still, raw[:, position]
                )
            present[:, position] = np.where(characterised[:, position], still, np.nan)
            histories[asset] = keep_present(history, np.nan_to_num(present[:, position]) >= PRESENT_FROM)
        read = ~np.isnan(group.window.import_kw).reshape(len(group.mpan_ids), -1)
        scored = Scored(
            window=group.window,
            examination=examination,
            probability=probability,
            present_probability=present,
            reported=reported,
            histories=histories,
            last_slot=read.shape[1] - 1 - read[:, ::-1].argmax(axis=1),
            slot_starts=read_slot_starts(group.first_utc_date, group.window.import_kw.shape[1], group.time_zone),
        )
        lacks = name_lacks(examination.findings, sufficiency, group.window.calendar.season, undecided)
        statuses = name_statuses(characterised, unobservable, sufficiency, lacks)
        if by_events is not None:
            for row in np.flatnonzero(by_events.is_concerned & unobservable[:, POSITION]):
                statuses[1][row * len(ASSET_CLASSES) + POSITION] = by_events.sentences[row]
        return scored, statuses

    def _build_rows(
        self,
        group: MeterGroup,
        sufficiency: Sufficiency,
        scored: Scored,
        texts: tuple[list[str], list[str | None], list[str | None]],
        baseline: BaselineStanding,
    ) -> pa.RecordBatch:
        schema = arrow_schema(METER_PROFILES)
        meters = len(group.mpan_ids)
        start = group.window.calendar.start_date
        any_seen = sufficiency.days_seen > 0
        as_of = to_dates(sufficiency.last_day, start, any_seen)
        as_of[~any_seen] = np.datetime64(self.run_date, "D")
        measured = measure_assets(scored)
        columns: dict[str, Values] = {
            "mpan_id": group.mpan_ids,
            "gsp_group_id": group.gsp_group_ids,
            "is_domestic": group.is_domestic,
            "verdict": np.array(VERDICTS, dtype=object)[sufficiency.verdict],
            "first_date": to_dates(sufficiency.first_day, start, any_seen),
            "days_seen": sufficiency.days_seen,
            "missing_share": sufficiency.missing_share,
            **{f"{name}_slots": slots for name, slots in group.implausible_slots.items()},
            "has_export": group.window.has_export,
            "has_weather": sufficiency.weather_share >= WEATHER_KNOWN_SHARE,
            "interval_minutes": group.window.interval_minutes,
            "features": list_rows(scored.examination.features, schema.field("features").type),
            "detections": self._build_detections(scored, texts, schema.field("detections").type),
            "changes": build_changes(scored, measured, schema.field("changes").type),
            "capabilities": build_capabilities(scored, measured, self.scorer, self.rules.tiers, schema.field("capabilities").type),
            "availabilities": build_availabilities(scored, measured, schema.field("availabilities").type),
            "events": build_events(scored, measured, schema.field("events").type),
            "baseline": build_standing(baseline, start, schema.field("baseline").type),
            "model_version": [self.scorer.version] * meters,
            "run_id": [self.run_id] * meters,
            "as_of_date": as_of,
        }
        return pa.RecordBatch.from_arrays([build_column(columns[field.name], field.type) for field in schema], schema=schema)

    def _build_detections(
        self, scored: Scored, texts: tuple[list[str], list[str | None], list[str | None]], kind: pa.ListType
    ) -> pa.ListArray:
        meters = scored.probability.shape[0]
        present = scored.present_probability.reshape(-1)
        columns: dict[str, Values] = {
            "asset_class": [asset.value for asset in ASSET_CLASSES] * meters,
            "probability": scored.probability.reshape(-1),
            "present_probability": present,
            "is_present": pa.array(present >= PRESENT_FROM, mask=np.isnan(present)),
            "tier": name_tiers(weigh_answer(present), self.rules.tiers),
            "status": texts[0],
            "status_reason": texts[1],
            **change_dates(scored),
            "evidence": texts[2],
        }
        owner = np.repeat(np.arange(meters), len(ASSET_CLASSES))
        return group_by_meter(build_structs(columns, kind.value_type), owner, meters, kind)
