# Databricks notebook source
# MAGIC %md
# MAGIC # Readings, and what was rejected
# MAGIC New DIP messages are taken in if a landing folder is named; then what stands in the lake is looked at: how much was read,
# MAGIC how much is missing, of which quality, and what stands in quarantine and why.

# COMMAND ----------

# MAGIC %pip install --quiet "..[train,report]"

# COMMAND ----------

import plotly.express as px
from pyspark.sql import functions as F

from fmar_spark.app import open_notebook
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import METER_POINTS, READINGS
from fmar_spark.engine.landing import Folder
from fmar_spark.engine.store import TableStore
from fmar_spark.settings.notebook_widgets import choose_display, read_widgets
from fmar_spark.steps import build_readings, ingest_dip

# COMMAND ----------

fields = read_widgets(globals(), environment="local", lake="", settings="", run_date="", landing="")
display = choose_display(globals())
app = open_notebook("explore_readings", vars(fields))
store = TableStore(app.spark, app.settings.lake.root)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Take in what has landed
# MAGIC The same steps as `jobs/ingest_dip.py` and `jobs/build_readings.py`; running them again changes nothing.

# COMMAND ----------

if fields.landing:
    source = Folder(fields.landing)
    app.run_step("ingest_dip", lambda store, run: ingest_dip.run(store, run, app.settings.ingest, source))
    app.run_step("build_readings", build_readings.run)

# COMMAND ----------

# MAGIC %md
# MAGIC ## How much was read

# COMMAND ----------

readings = store.read(READINGS)
by_quantity = readings.groupBy("quantity").agg(
    F.countDistinct("mpan_id").alias("meters"),
    F.count("*").alias("meter_days"),
    F.min("utc_date").alias("first_day"),
    F.max("utc_date").alias("last_day"),
    F.avg(F.size(F.filter("kwh", F.isnull)) / 48).alias("unread_share"),
)
display(by_quantity)

# COMMAND ----------

slots = readings.where("quantity = 'AI'").select("utc_date", F.explode("quality").alias("quality"))
quality = slots.groupBy(F.coalesce("quality", F.lit("never read")).alias("quality")).count().orderBy(F.desc("count"))
display(quality)

# COMMAND ----------

days = readings.where("quantity = 'AI'").groupBy("utc_date").agg(F.countDistinct("mpan_id").alias("meters")).orderBy("utc_date").toPandas()
display(px.line(days, x="utc_date", y="meters", title="Import meters with readings, by UTC day"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Which meter points there are

# COMMAND ----------

meter_points = store.read(METER_POINTS).groupBy("source", "gsp_group_id", "energy_direction").count().orderBy(F.desc("count"))
display(meter_points)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What was rejected, and why
# MAGIC Nothing is dropped: each rejection stands in `bronze.quarantine` with the rule that it broke.

# COMMAND ----------

quarantine = store.read_or_empty(QUARANTINE)
by_rule = quarantine.groupBy("rule").agg(F.count("*").alias("rejected"), F.first("reason").alias("for_example"))
rejected = by_rule.orderBy(F.desc("rejected")).toPandas()
display(rejected)

# COMMAND ----------

display(px.bar(rejected, x="rejected", y="rule", orientation="h", title="Rejections by rule"))
