"""The one source of truth for events, tables, reasons and the economy.

The validator, Spark's schema, the DDL in sql/ddl/, the OpenAPI schemas and docs/events.md are all
derived from these modules (`make generate`; a test notices drift).
"""
