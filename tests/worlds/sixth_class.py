"""A sixth asset class for a copy of the package: lighting that burns from dusk to dawn. What it adds is all that a class needs."""

import shutil
from pathlib import Path
from typing import Final

ADDED: Final = {
    "kernels/lighting/__init__.py": '"""Lighting that burns from dusk to dawn."""\n',
    "kernels/lighting/detector.py": '''"""Finds lighting: a load that is there in the dark and gone in the light."""

from typing import Final

import numpy as np

from fmar_spark.kernels.episodes import sum_runs
from fmar_spark.kernels.window import Events, Feature, Findings, Floats, Method, MeterWindow, name_columns, unknown_sizes

FEATURES: Final = (
    Feature("lighting_dark_kw", "kW", "Median over days of the dark slots' mean less the light ones'."),
    Feature("lighting_dark_share", "share", "That difference over the mean of the dark slots."),
    Feature("lighting_steadiness", "ratio", "Spread of the difference over days, over its median."),
)
METHOD: Final = Method(
    found="The load of the dark half-hours of a day stands above that of the light ones, by the same on every day of the year.",
    sized="`rated_kw` is the median of that difference over days.",
    dated="The daily mark is the difference itself.",
)
DARK_W_M2: Final = 5.0
"""Clear-sky irradiance below which lamps burn."""


def examine(window: MeterWindow, load_kw: Floats) -> Findings:
    """Look for lighting in every meter of the batch."""
    meters, days, slots = load_kw.shape
    is_dark = (window.clear_w_m2 < DARK_W_M2)[window.area]
    dark, light = (np.nanmean(np.where(chosen, load_kw, np.nan), axis=2) for chosen in (is_dark, ~is_dark))
    daily = (dark - light).astype(np.float32)
    low, kw, high = np.nanquantile(daily, (0.25, 0.5, 0.75), axis=1)
    columns = {
        "lighting_dark_kw": kw,
        "lighting_dark_share": kw / np.maximum(np.nanmean(dark, axis=1), 1e-3),
        "lighting_steadiness": (high - low) / np.maximum(np.abs(kw), 1e-3),
    }
    rated = np.where(kw > 0, kw, np.nan)
    flat = (is_dark & ~np.isnan(load_kw) & (kw > 0)[:, None, None]).reshape(meters, days * slots)
    meter, start, end, _, _ = sum_runs(flat, flat.astype(np.float32))
    events = Events(meter, start, end, rated[meter] * (end - start) / 2, rated[meter], np.ones(meter.size, bool), np.full(meter.size, 0.8))
    sizes = unknown_sizes(meters)._replace(rated_import_kw=rated, spread=np.where(kw > 0, (high - low) / np.maximum(kw, 1e-3), np.nan))
    return Findings(name_columns(FEATURES, columns), daily, events, sizes)
''',
    "simulate/lighting.py": '''"""Lighting that burns while the sun is down."""

from typing import NamedTuple

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.plan import FleetPlan, Floats
from fmar_spark.simulate.population import Life, Population, draw_life, size_track


class Lighting(NamedTuple):
    """What the lamps draw, kW, (meters, slots)."""

    power_kw: Floats
    life: Life


def simulate_lighting(rng: np.random.Generator, people: Population, plan: FleetPlan, ghi: Floats) -> Lighting:
    """Lamps of every meter."""
    meters = len(people.area)
    size = np.maximum(people.scale_kw, 0.3) * rng.uniform(3.0, 6.0, meters)
    life = draw_life(rng, people.ever(AssetClass.LIGHTING), plan, size, np.ones(meters))
    return Lighting(size_track(life, plan.slots) * (ghi <= 0)[:, : plan.slots], life)
''',
}
EDITED: Final = {
    "domain/assets.py": (
        (
            '    """Load that is held back on request or on price."""\n',
            '    """Load that is held back on request or on price."""\n'
            '    LIGHTING = "lighting"\n    """Lighting that burns from dusk to dawn."""\n',
        ),
        (
            "        AssetClass.DEMAND_RESPONSE: AssetFacts(",
            """        AssetClass.LIGHTING: AssetFacts(
            label="has_lighting",
            words="lighting",
            singular="lighting of streets or grounds",
            plural="lighting of streets or grounds",
            sizes=(AssetSize("lighting_kw", "Power of all lamps.", "kW", (SizeName.RATED_IMPORT_KW,), TrueSize.SIZE_KW),),
            directions=(Direction.IMPORT,),
            submeters=(("lighting_kwh", Direction.IMPORT),),
            sight="of lamps",
            colours=("#444444", "#cccccc"),
            fmar=FmarCodes(AssetCategory.OTHER, demand_tech_type=DemandTechType.OTHER),
            is_nightly=True,
        ),
        AssetClass.DEMAND_RESPONSE: AssetFacts(""",
        ),
    ),
    "kernels/examination.py": (
        (
            "from fmar_spark.kernels.solar import detector as solar_pv\n",
            "from fmar_spark.kernels.lighting import detector as lighting\nfrom fmar_spark.kernels.solar import detector as solar_pv\n",
        ),
        (
            "        AssetClass.DEMAND_RESPONSE: Detector(",
            "        AssetClass.LIGHTING: Detector(lighting, lambda scene: lighting.examine(scene.window, scene.load_kw)),\n"
            "        AssetClass.DEMAND_RESPONSE: Detector(",
        ),
    ),
    "simulate/plan.py": (
        ("    confuser_scale: float", "    home_lighting: float = 0.3\n    business_lighting: float = 0.3\n    confuser_scale: float"),
    ),
    "simulate/fleet.py": (
        (
            "from fmar_spark.simulate.lookalikes import",
            "from fmar_spark.simulate.lighting import simulate_lighting\nfrom fmar_spark.simulate.lookalikes import",
        ),
        (
            "    flexible = load +",
            '    lamps = simulate_lighting(stream("lighting"), population, plan, ghi)\n'
            "    load = load + lamps.power_kw\n    flexible = load +",
        ),
        (
            "    assets = [\n",
            '    assets = [\n        list_assets(AssetClass.LIGHTING, lamps.life, slots, ["lamps"] * meters, (none, none)),\n',
        ),
        ("    events = [\n", "    events = [\n        find_runs(lamps.power_kw, np.full(meters, 0.01), AssetClass.LIGHTING, True),\n"),
    ),
}
"""Text -> text with the class, by file of the package."""


def add_sixth_class(package: Path, folder: Path) -> list[str]:
    """A copy of the package below ``folder`` that knows the class; the files that it touches. The others keep their compiled form.

    Raises:
        AssertionError: a file no longer has the text that the class stands beside.
    """
    copy = folder / package.name
    shutil.copytree(package, copy)
    for name, text in ADDED.items():
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text(text, encoding="utf-8")
    for name, changes in EDITED.items():
        text = (copy / name).read_text(encoding="utf-8")
        for before, after in changes:
            assert text.count(before) == 1, f"{name}: {before!r}"
            text = text.replace(before, after)
        (copy / name).write_text(text, encoding="utf-8")
    return sorted([*ADDED, *EDITED])
