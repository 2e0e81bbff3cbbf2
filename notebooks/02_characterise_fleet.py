# Databricks notebook source
# MAGIC %md
# MAGIC # What each connection can do
# MAGIC Every eligible meter is characterised, then the fleet is summed up and one meter is looked at closely.

# COMMAND ----------

# MAGIC %pip install --quiet "..[train,report]"

# COMMAND ----------

from pathlib import Path

import numpy as np
import plotly.express as px
from pyspark.sql import functions as F

from fmar_spark.app import open_notebook
from fmar_spark.contracts.capability import ASSET_DETECTIONS, AVAILABILITY, CAPABILITY
from fmar_spark.contracts.profiles import ASSET_EVENTS
from fmar_spark.engine.runs import start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.report.page import Order, write_report
from fmar_spark.settings.notebook_widgets import choose_display, read_widgets
from fmar_spark.steps import characterise
from fmar_spark.steps.lake_inputs import choose_days, name_meters, read_eligible_days
from fmar_spark.units import kw_from_kwh

# COMMAND ----------

fields = read_widgets(globals(), environment="local", lake="", settings="", run_date="", meters="", look_at="", report="")
display = choose_display(globals())
app = open_notebook("characterise_fleet", vars(fields))
store = TableStore(app.spark, app.settings.lake.root)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Characterise
# MAGIC The same step as `jobs/characterise.py`. `meters`: MPANs or series ids with spaces between; empty = all.

# COMMAND ----------

meters = tuple(fields.meters.split())
written = app.run_step("characterise", lambda store, run: characterise.run(store, run, app.settings, meters))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The fleet

# COMMAND ----------

detections = store.read(ASSET_DETECTIONS)
by_answer = ("asset_class", "status", "is_present", "tier")
answers = detections.groupBy(*by_answer).count().orderBy(*by_answer).toPandas()
display(answers)

# COMMAND ----------

present = answers[answers["is_present"] == True]  # noqa: E712 - null is neither
display(px.bar(present, x="asset_class", y="count", color="tier", title="Assets present, by class and tier"))

# COMMAND ----------

sizes = store.read(CAPABILITY).select("mpan_id", "asset_class", "direction", "rated_kw", "rated_kw_lower", "rated_kw_upper", "events_seen")
display(sizes.orderBy(F.desc("rated_kw")).limit(20))

# COMMAND ----------

# MAGIC %md
# MAGIC ## One meter
# MAGIC `look_at`: an MPAN; empty = the one with the most assets present.

# COMMAND ----------

weight = F.sum(F.when(F.col("is_present"), F.col("present_probability")).otherwise(0.0)).alias("weight")
fullest = detections.groupBy("mpan_id").agg(weight).orderBy(F.desc("weight"), "mpan_id").first()
mpan_id = fields.look_at or fullest["mpan_id"]
of_meter = F.col("mpan_id") == mpan_id
wanted = ("asset_class", "present_probability", "tier", "appeared_date", "removed_date", "evidence")
verdicts = detections.where(of_meter).select(*wanted).toPandas()
display(verdicts)

# COMMAND ----------

run_days = choose_days(store, start_run("notebook", app.run_date, ""))
imports = read_eligible_days(store, run_days, name_meters(store, (mpan_id,))).where("quantity = 'AI'")
days = imports.select("utc_date", "kwh").orderBy("utc_date").toPandas()
power_kw = kw_from_kwh(np.stack(days["kwh"].map(np.asarray)).astype(float))
title = f"Import of {mpan_id}, kW, by UTC day and hour"
display(px.imshow(power_kw.T, x=days["utc_date"], y=np.arange(48) / 2, aspect="auto", title=title))

# COMMAND ----------

events = store.read(ASSET_EVENTS).where(of_meter)
figures = (F.count("*").alias("episodes"), F.median("energy_kwh").alias("median_kwh"), F.max("peak_kw").alias("peak_kw"))
display(events.groupBy("asset_class").agg(*figures))

# COMMAND ----------

by_slot = store.read(AVAILABILITY).where(of_meter).groupBy("asset_class", "direction", "slot")
weeks = by_slot.agg(F.avg("probability").alias("probability")).orderBy("slot").toPandas()
title = "How often it operates, by clock slot"
display(px.line(weeks, x="slot", y="probability", color="asset_class", line_dash="direction", title=title))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The whole report as a file
# MAGIC `report`: where to write it; empty = not at all. Only for a lake on a disk.

# COMMAND ----------

order = Order(named=(mpan_id,), evidence_meters=50)
page = write_report(Path(app.settings.lake.root), Path(fields.report), order, print) if fields.report else {}
display(page)
