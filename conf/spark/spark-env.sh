# Java reports a module that Spark itself asks for, in every run: that one line is left out of the JVM's output.
exec 2> >(exec grep --line-buffered -vF 'WARNING: Using incubator modules: jdk.incubator.vector' >&2)
# Where classes come from a file of their own (fmar_spark/engine/class_archive.py) this folder must not be among the jars.
SPARK_CONF_DIR="${FMAR_NO_CLASSES:-$SPARK_CONF_DIR}"
