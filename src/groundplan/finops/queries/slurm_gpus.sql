-- Accelerators in a TRES text of Slurm. gres/gpu counts all; gres/gpu:TYPE those of a type, which may be a MIG profile
-- such as a100_1g.5gb: so many compute slices of seven, of which a compute instance (1c.3g.20gb) has its own few.
-- gres/mps is percent of one, as Slurm counts it. How many gres/shard make one is in no column: unknown.
CREATE OR REPLACE TEMP MACRO slurm_typed(tres) AS
    list_filter(string_split(tres, ','), lambda part : regexp_matches(part, '^(gres/)?gpu:[^=:]+[=:][0-9]+'));

CREATE OR REPLACE TEMP MACRO slurm_count(part) AS CAST(regexp_extract(part, '[=:]([0-9]+)$', 1) AS DOUBLE);

CREATE OR REPLACE TEMP MACRO slurm_share(part) AS
    CASE
        WHEN regexp_matches(part, '[0-9]c\.[0-9]g\.') THEN CAST(regexp_extract(part, '([0-9])c\.', 1) AS DOUBLE) / 7
        WHEN regexp_matches(part, '[0-9]g\.[0-9]+gb') THEN CAST(regexp_extract(part, '([0-9])g\.', 1) AS DOUBLE) / 7
        ELSE 1.0
    END;

CREATE OR REPLACE TEMP MACRO slurm_number(text, pattern) AS
    coalesce(try_cast(regexp_extract(text, pattern, 1) AS DOUBLE), 0);

CREATE OR REPLACE TEMP MACRO slurm_counted(tres) AS
    coalesce(list_sum(list_transform(slurm_typed(tres), lambda part : slurm_count(part) * slurm_share(part))), 0)
    + greatest(
        slurm_number(tres, '(?:^|,)(?:gres/)?gpu[=:]([0-9]+)')
        - coalesce(list_sum(list_transform(slurm_typed(tres), lambda part : slurm_count(part))), 0),
        0
    )
    + slurm_number(tres, '(?:^|,)(?:gres/)?mps(?::[^=,]+)?[=:]([0-9]+)') / 100;

CREATE OR REPLACE TEMP MACRO slurm_shards(tres) AS
    nullif(slurm_number(tres, '(?:^|,)(?:gres/)?shard(?::[^=,]+)?[=:]([0-9]+)'), 0);

CREATE OR REPLACE TEMP MACRO slurm_gpus(tres) AS
    CASE WHEN slurm_shards(tres) IS NULL OR slurm_counted(tres) > 0 THEN slurm_counted(tres) END;

CREATE OR REPLACE TEMP MACRO slurm_gpu_type(tres) AS
    nullif(regexp_extract(tres, '(?:^|,)(?:gres/)?(?:gpu|mps|shard):([^=:,]*[A-Za-z][^=:,]*)[=:]', 1), '');

-- 1-02:03:04, 02:03:04, 03:04.5; anything else is NULL.
CREATE OR REPLACE TEMP MACRO slurm_seconds(text) AS
    slurm_number(text, '^([0-9]+)-') * 86400
    + list_reduce(
        list_transform(
            string_split(regexp_replace(text, '^[0-9]+-', ''), ':'), lambda part : try_cast(part AS DOUBLE)
        ),
        lambda total, part : total * 60 + part
    );
