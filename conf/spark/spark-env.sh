# Java tells of a module that Spark itself asks for, in every run: that one line is left out of what the JVM says.
exec 2> >(exec grep --line-buffered -vF 'WARNING: Using incubator modules: jdk.incubator.vector' >&2)
