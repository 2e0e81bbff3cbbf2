# Databricks notebook source
# MAGIC %md
# MAGIC # The gold tables without Spark
# MAGIC Delta tables are read by delta-rs and queried by DuckDB: what a network operator's analyst, a platform or a notebook on a
# MAGIC laptop needs. Nothing here imports Spark.

# COMMAND ----------

# MAGIC %pip install --quiet "..[train,report]"

# COMMAND ----------

from pathlib import Path

import duckdb
import plotly.express as px
from deltalake import DeltaTable

from fmar_spark.engine.lake_files import open_rows
from fmar_spark.settings.notebook_widgets import choose_display, read_widgets

# COMMAND ----------

fields = read_widgets(globals(), lake="lake", asset_class="ev", season="winter")
display = choose_display(globals())
gold = sorted(path.parent for path in Path(fields.lake).glob("gold/*/_delta_log"))
display([f"{path.name}, version {DeltaTable(str(path)).version()}" for path in gold])

# COMMAND ----------

# MAGIC %md
# MAGIC Each table as a view; Arrow streams from delta-rs to DuckDB, so filters and columns are pushed down to the files.

# COMMAND ----------

connection = duckdb.connect()
registered = [connection.register(path.name, open_rows(DeltaTable(str(path)))) for path in gold]

# COMMAND ----------

# MAGIC %md
# MAGIC ## What is there
# MAGIC `is_present` with tier high is what markets use.

# COMMAND ----------

fleet = connection.sql(
    """SELECT asset_class, count(*) FILTER (is_present AND tier = 'high') AS present_high, count(*) FILTER (is_present) AS present,
        count(*) FILTER (status <> 'characterised') AS unanswered, count(*) AS meters
    FROM asset_detections GROUP BY asset_class ORDER BY asset_class"""
).df()
display(fleet)

# COMMAND ----------

# MAGIC %md
# MAGIC ## How much of it, and how sure the size is

# COMMAND ----------

sizes = connection.sql(
    """SELECT c.asset_class, c.direction, count(*) AS assets, sum(rated_kw) AS rated_kw, median(rated_kw) AS median_kw,
        median((rated_kw_upper - rated_kw_lower) / rated_kw) AS median_interval
    FROM capability c JOIN asset_detections d USING (mpan_id, asset_class) WHERE d.is_present GROUP BY ALL ORDER BY ALL"""
).df()
display(sizes)

# COMMAND ----------

# MAGIC %md
# MAGIC ## When it is to be had
# MAGIC Power of the chosen class that is likely to be operating, by weekday and clock time.

# COMMAND ----------

expected = connection.execute(
    """SELECT a.weekday, a.slot, sum(a.probability * c.rated_kw) AS expected_kw
    FROM availability a JOIN capability c USING (mpan_id, asset_class, direction)
    WHERE a.asset_class = $asset_class AND a.season = $season AND NOT isnan(a.probability) GROUP BY ALL ORDER BY ALL""",
    {"asset_class": fields.asset_class, "season": fields.season},
).df()
if len(expected):
    week = expected.pivot(index="weekday", columns="slot", values="expected_kw")
    display(px.imshow(week, aspect="auto", title=f"Expected kW of {fields.asset_class}, {fields.season}"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Since when

# COMMAND ----------

appeared = connection.sql(
    """SELECT date_trunc('month', changed_date) AS month, asset_class, kind, count(*) AS assets
    FROM asset_changes GROUP BY ALL ORDER BY ALL"""
).df()
display(appeared)
