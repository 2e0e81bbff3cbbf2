# Java reports a module that Spark itself asks for, in every run: that one line is left out of the JVM's output.
exec 2> >(exec grep --line-buffered -vF 'WARNING: Using incubator modules: jdk.incubator.vector' >&2)
