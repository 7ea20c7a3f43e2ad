-- Rows of sacct that are jobs, each with what its duplicates make of it. Input: view raw_cells, which is raw with the
-- columns place, job, submitted, started, ended, condition and tres.
-- Few texts say what the many jobs held: each is read once.
CREATE OR REPLACE TEMP TABLE tres_read AS
SELECT tres, slurm_gpus(tres) AS gpus, slurm_gpu_type(tres) AS gpu_type, slurm_shards(tres) AS shards
FROM (SELECT DISTINCT tres FROM raw_cells);

CREATE OR REPLACE TEMP TABLE raw_cells_read AS
SELECT raw_cells.*, gpus, gpu_type, shards
FROM raw_cells
LEFT JOIN tres_read USING (tres);

CREATE OR REPLACE TEMP TABLE raw_repeated AS
SELECT step
FROM raw_cells_read
GROUP BY step
HAVING count(*) > 1;

-- `attempt` counts the runs of a requeued job (sacct --duplicates prints each), and of several records of one run
-- `record` 1 is the last one. Steps are parts of their job and are left to it.
CREATE OR REPLACE TEMP TABLE raw_jobs AS
SELECT *, 1 AS attempt, 1 AS record, FALSE AS orphan
FROM raw_cells_read
ANTI JOIN raw_repeated USING (step)
WHERE NOT contains(step, '.') OR step IS NULL
UNION ALL
SELECT
    *,
    dense_rank() OVER (PARTITION BY place, job, submitted ORDER BY started NULLS LAST),
    row_number() OVER (
        PARTITION BY place, job, submitted, started
        ORDER BY condition = 'RUNNING', ended DESC NULLS LAST
    ),
    FALSE
FROM raw_cells_read
SEMI JOIN raw_repeated USING (step)
WHERE NOT contains(step, '.');

-- A step whose job is not there is nobody's.
INSERT INTO raw_jobs
SELECT *, 1, 1, TRUE
FROM raw_cells_read
WHERE contains(step, '.')
  AND split_part(step, '.', 1) NOT IN (SELECT step FROM raw_jobs WHERE step IS NOT NULL)
