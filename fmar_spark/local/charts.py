"""Plots one series with what was found in it. The only module of the room that needs plotly."""

from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc
from plotly.subplots import make_subplots

from fmar_spark.clock import SLOTS_PER_DAY, utc_slot_starts
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.domain.words import Quantity
from fmar_spark.engine.arrow_columns import day_arrays
from fmar_spark.errors import InputError
from fmar_spark.local.frames import Characterisation, to_arrow
from fmar_spark.units import kw_from_kwh

COLOURS: Final = {asset.value: facts.colours[0] for asset, facts in ASSET_FACTS.items()}
"""As on a light page."""
WEEK_DAYS: Final = 7


def draw_series(found: Characterisation, series: str, week: date | None) -> go.Figure:
    """The whole history as days by clock time, and below it one week with the episodes found in it.

    Raises:
        InputError: an unknown series, or a week without readings.
    """
    row = pc.index(found.given.series["series_id"], series).as_py()
    if row < 0:
        raise InputError(
            f"plot: series {series!r} found; one of the readings wanted, such as {found.given.series['series_id'][0].as_py()!r}"
        )
    zone = found.given.series["time_zone"][row].as_py()
    net_kw = _net_by_clock(found, series, zone)
    events = _events_by_clock(found, series, zone)
    monday = _choose_week(events, net_kw) if week is None else _monday_of(week)
    shown = net_kw[(net_kw.index >= monday) & (net_kw.index < monday + timedelta(days=WEEK_DAYS))]
    if shown.empty:
        read = f"{net_kw.index[0]:%Y-%m-%d} to {net_kw.index[-1]:%Y-%m-%d}"
        raise InputError(f"plot: week of {monday:%Y-%m-%d} found, one from {read} wanted: no readings of {series!r} then")
    figure = make_subplots(rows=2, row_heights=[0.5, 0.5], vertical_spacing=0.14, subplot_titles=_titles(monday))
    figure.add_trace(_draw_carpet(net_kw), 1, 1)
    figure.add_trace(
        go.Scatter(x=shown.index, y=shown, mode="lines", line={"shape": "hv", "color": "#333333", "width": 1.2}, name="net load"), 2, 1
    )
    for asset in ASSET_CLASSES:
        bars = _draw_events(events[events["asset_class"] == asset.value], monday, asset.value)
        if bars is not None:
            figure.add_trace(bars, 2, 1)
    figure.update_yaxes(title_text="local time", autorange="reversed", tickvals=list(range(0, SLOTS_PER_DAY, 12)), row=1, col=1)
    figure.update_yaxes(ticktext=["00:00", "06:00", "12:00", "18:00"], row=1, col=1)
    figure.update_yaxes(title_text="import less export, kW", row=2, col=1)
    figure.update_layout(
        title=_describe(found, series), template="plotly_white", height=720, bargap=0, legend={"orientation": "h", "y": -0.08}
    )
    return figure


def _net_by_clock(found: Characterisation, series: str, zone: str) -> "pd.Series[float]":
    """Import less export by local time, kW; NaN where import was not read, an unread export counts as none."""
    days = found.given.intake.days.filter(pc.equal(found.given.intake.days["series_id"], series))
    first: date = pc.min(days["utc_date"]).as_py()
    count = (pc.max(days["utc_date"]).as_py() - first).days + 1
    start = np.datetime64(first, "D")
    kwh = np.full((2, count, SLOTS_PER_DAY), np.nan)
    for place, quantity in enumerate((Quantity.AI, Quantity.AE)):
        own = days.filter(pc.equal(days["quantity"], quantity.value))
        day = (own["utc_date"].to_numpy().astype("datetime64[D]") - start).astype(np.int64)
        kwh[place, day] = day_arrays(own["kwh"], SLOTS_PER_DAY)
    net_kw = kw_from_kwh(kwh[0] - np.nan_to_num(kwh[1])).reshape(-1)
    at = pd.DatetimeIndex(utc_slot_starts(first, net_kw.size)).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    by_clock = pd.Series(net_kw, index=at).loc[: at[np.flatnonzero(~np.isnan(net_kw))[-1]]]
    return by_clock[~by_clock.index.duplicated()]


def _events_by_clock(found: Characterisation, series: str, zone: str) -> pd.DataFrame:
    """The episodes of the series with local times."""
    table: pa.Table = to_arrow(found.events, "events")
    events: pd.DataFrame = table.filter(pc.equal(table["series_id"], series)).to_pandas()
    for name in ("started_at", "ended_at"):
        events[name] = pd.to_datetime(events[name], utc=True).dt.tz_convert(zone).dt.tz_localize(None)
    return events


def _monday_of(day: date) -> datetime:
    monday = day - timedelta(days=day.weekday())
    return datetime(monday.year, monday.month, monday.day)


def _choose_week(events: pd.DataFrame, net_kw: "pd.Series[float]") -> datetime:
    """The Monday of the week with the most classes, then the most episodes; without any, of the last whole week or the first."""
    if events.empty:
        return max(_monday_of((net_kw.index[-1] - timedelta(days=WEEK_DAYS)).date()), _monday_of(net_kw.index[0].date()))
    monday = events["started_at"].dt.normalize() - pd.to_timedelta(events["started_at"].dt.weekday, unit="D")
    weeks = events.groupby(monday)["asset_class"].agg(["nunique", "size"]).sort_values(["nunique", "size"], kind="stable")
    chosen: datetime = weeks.index[-1].to_pydatetime()
    return chosen


def _draw_carpet(net_kw: "pd.Series[float]") -> go.Heatmap:
    """One column a local day, one row a half-hour of the clock."""
    at = pd.DatetimeIndex(net_kw.index)
    grid = net_kw.groupby([at.hour * 2 + at.minute // 30, at.normalize()]).first().unstack()
    limit = float(np.nanquantile(np.abs(net_kw), 0.995)) or 1.0
    has_export = bool((net_kw < 0).any())
    return go.Heatmap(
        x=grid.columns,
        y=grid.index,
        z=grid.to_numpy().round(3),
        zmin=-limit if has_export else 0.0,
        zmax=limit,
        colorscale="RdBu_r" if has_export else "Viridis",
        colorbar={"title": "kW", "len": 0.45, "y": 0.79},
        hovertemplate="%{x|%d %b %Y}, half-hour %{y}: %{z:.2f} kW<extra></extra>",
    )


def _draw_events(events: pd.DataFrame, monday: datetime, asset_class: str) -> go.Bar | None:
    """The episodes of one class in the week as bars of their peak power, below the axis while the asset exports."""
    shown = events[(events["started_at"] >= monday) & (events["started_at"] < monday + timedelta(days=WEEK_DAYS))]
    if shown.empty:
        return None
    ended = shown["ended_at"].fillna(monday + timedelta(days=WEEK_DAYS))
    return go.Bar(
        x=shown["started_at"] + (ended - shown["started_at"]) / 2,
        y=shown["peak_kw"].where(shown["is_import"], -shown["peak_kw"]),
        width=(ended - shown["started_at"]).dt.total_seconds() * 1000,
        marker={"color": COLOURS[asset_class], "opacity": 0.35, "line": {"color": COLOURS[asset_class], "width": 1}},
        customdata=shown["energy_kwh"],
        hovertemplate="%{y:.1f} kW, %{customdata:.1f} kWh",
        name=asset_class,
    )


def _titles(monday: datetime) -> list[str]:
    return ["Every day, by clock time", f"Week of {monday:%-d %B %Y}, with episodes as bars of their peak power"]


def _describe(found: Characterisation, series: str) -> str:
    """The series and the classes that are there, with size and tier."""
    detections: pa.Table = to_arrow(found.detections, "detections")
    capability: pa.Table = to_arrow(found.capability, "capability")
    own = detections.filter(
        pc.and_(pc.equal(detections["series_id"], series), pc.fill_null(detections["is_present"].cast(pa.bool_()), False))
    )
    sizes = {
        row["asset_class"]: row["rated_kw"]
        for row in capability.filter(pc.equal(capability["series_id"], series)).select(["asset_class", "rated_kw"]).to_pylist()
        if row["rated_kw"] is not None
    }
    named = [
        f"{row['asset_class']}" + (f" {sizes[row['asset_class']]:.1f} kW" if row["asset_class"] in sizes else "") + f" ({row['tier']})"
        for row in own.select(["asset_class", "tier"]).to_pylist()
    ]
    return f"{series}: {', '.join(named) or 'no asset found'}"
