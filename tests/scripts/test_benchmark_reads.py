import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
ASK_ALL = """
import random, sys
from pathlib import Path
import benchmark_reads as benchmark
folder = Path(sys.argv[1])
manifest = benchmark.generate(folder / "lake", 2_000)
database = benchmark.fill(folder, 2_000)
model = benchmark.ServedModel(folder / "lake" / benchmark.FOLDER / manifest.file, manifest, 1)
for measure in benchmark.list_measures(2_000, database):
    print(measure.name, len(measure.bare(model, random.Random(1))))
"""


def test_the_generated_file_is_one_that_is_served_and_every_question_finds_rows(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASK_ALL, str(tmp_path)]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-4:] == ["one asset 1", "portfolio page 99", "own assets 100", "area 4"], done.stderr
