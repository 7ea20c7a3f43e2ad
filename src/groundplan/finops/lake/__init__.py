"""A folder of Parquet with a manifest: whole at every instant, append-only, queried by DuckDB."""
