# Databricks notebook source
# MAGIC %md
# MAGIC # Train, compare, promote
# MAGIC The classifiers are trained on labelled meters of the lake and registered; the gates decide whether the alias moves by
# MAGIC itself. Then the versions are compared, and one is promoted by hand if it is named.

# COMMAND ----------

# MAGIC %pip install --quiet "..[train,report]"

# COMMAND ----------

import mlflow
import pandas as pd
import plotly.express as px
from mlflow.tracking import MlflowClient

from fmar_spark.app import open_notebook
from fmar_spark.learning.registry import choose_scorer
from fmar_spark.settings.notebook_widgets import choose_display, read_widgets
from fmar_spark.steps import train_classifier

# COMMAND ----------

fields = read_widgets(globals(), environment="local", lake="", settings="", run_date="", labels="silver.labels", promote_version="")
display = choose_display(globals())
app = open_notebook("train_compare_promote", vars(fields))
learning = app.settings.learning

# COMMAND ----------

# MAGIC %md
# MAGIC ## Train
# MAGIC The same step as `jobs/train_classifier.py`. `labels`: `silver.labels`, or a CSV; empty = train nothing, only compare.

# COMMAND ----------

if fields.labels:
    written = app.run_step("train_classifier", lambda store, run: train_classifier.run(store, run, app.settings, fields.labels))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Compare

# COMMAND ----------

mlflow.set_tracking_uri(learning.tracking_uri)
mlflow.set_registry_uri(learning.tracking_uri)
client = MlflowClient()
versions = client.search_model_versions(f"name = '{learning.registry_model}'")
named = [{"version": int(one.version), "gates": one.tags.get("gates", "")} for one in versions]
metrics = [client.get_run(one.run_id).data.metrics for one in versions]
figures = pd.DataFrame([name | measured for name, measured in zip(named, metrics, strict=True)])
versions_by_age = figures.sort_values("version") if len(figures) else figures
display(versions_by_age)

# COMMAND ----------

if len(figures):
    areas = versions_by_age.filter(regex="^version$|_auc$").melt(id_vars="version", var_name="figure", value_name="auc")
    display(px.line(areas, x="version", y="auc", color="figure", markers=True, title="AUC on held-out meters, by version"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Promote
# MAGIC The gates have promoted what passes them. `promote_version` moves the alias by hand, up or back; the move is tagged.

# COMMAND ----------

if fields.promote_version:
    client.set_registered_model_alias(learning.registry_model, learning.alias, fields.promote_version)
    client.set_model_version_tag(learning.registry_model, fields.promote_version, "promoted", "by hand, in the notebook")

# COMMAND ----------

scorer = choose_scorer(learning)
display(pd.DataFrame({"what scores from now on": [scorer.version]}))
