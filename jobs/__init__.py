"""Everything that runs beside the engine: Spark streams, simulation, report, audit, and the `haggle` command."""
