"""One module a job: what it reads, what it writes, and run()."""
