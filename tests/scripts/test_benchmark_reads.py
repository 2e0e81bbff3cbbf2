import random
from pathlib import Path

import benchmark_reads as benchmark


def test_the_generated_file_is_one_that_is_served_and_every_question_finds_rows(tmp_path: Path) -> None:
    manifest = benchmark.generate(tmp_path / "lake", 2_000)
    database = benchmark.fill(tmp_path, 2_000)
    model = benchmark.ServedModel(tmp_path / "lake" / benchmark.FOLDER / manifest.file, manifest, 1)
    found = {measure.name: len(measure.bare(model, random.Random(1))) for measure in benchmark.list_measures(2_000, database)}
    assert found == {"one asset": 1, "portfolio page": 99, "own assets": 100, "area": 4}
