"""How fast Dangol is, measured against the limits of the same machine in the same minutes.

Owns the embedded PostgreSQL of the measurement, the load generator, the reference loops
(pgbench, a bare Flask page, raw sqlite3) and the report with its bars. Refuses to import the
application: what is measured is what is served over HTTP, started by the operator's commands.
`python -m bench.run` is `make bench`, `python -m bench.soak` is `make soak`.
"""
