-- Accelerators in a TRES text of Slurm. gres/gpu counts all; gres/gpu:TYPE those of a type, which may be a MIG profile
-- such as a100_1g.5gb: so many compute slices of seven. gres/mps is percent of one, as Slurm counts it.
CREATE OR REPLACE TEMP MACRO slurm_typed(tres) AS
    list_filter(string_split(tres, ','), lambda part : regexp_matches(part, '^(gres/)?gpu:[^=:]+[=:][0-9]+'));

CREATE OR REPLACE TEMP MACRO slurm_count(part) AS CAST(regexp_extract(part, '[=:]([0-9]+)$', 1) AS DOUBLE);

CREATE OR REPLACE TEMP MACRO slurm_share(part) AS
    CASE
        WHEN regexp_matches(part, '[0-9]g\.[0-9]+gb') THEN CAST(regexp_extract(part, '([0-9])g\.', 1) AS DOUBLE) / 7
        ELSE 1.0
    END;

CREATE OR REPLACE TEMP MACRO slurm_gpus(tres) AS
    coalesce(list_sum(list_transform(slurm_typed(tres), lambda part : slurm_count(part) * slurm_share(part))), 0)
    + greatest(
        coalesce(try_cast(regexp_extract(tres, '(?:^|,)(?:gres/)?gpu[=:]([0-9]+)', 1) AS DOUBLE), 0)
        - coalesce(list_sum(list_transform(slurm_typed(tres), lambda part : slurm_count(part))), 0),
        0
    )
    + coalesce(try_cast(regexp_extract(tres, 'gres/mps[=:]([0-9]+)', 1) AS DOUBLE), 0) / 100;

CREATE OR REPLACE TEMP MACRO slurm_gpu_type(tres) AS
    nullif(regexp_extract(tres, '(?:^|,)(?:gres/)?gpu:([^=:,]+)[=:]', 1), '');
