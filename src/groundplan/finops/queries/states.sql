-- States of held accelerators. Input: tables pieces; thresholds as variables.
-- sampled: samples of each job on each node and day, by state. A slice weighs its part of an accelerator.
CREATE OR REPLACE TEMP TABLE sampled AS
SELECT
    node,
    job_id,
    date_trunc('day', time) AS day,
    CASE
        WHEN coalesce(engine_active, gpu_util) < getvariable('idle_engine')
            AND memory_used_bytes < getvariable('process_bytes') THEN 'allocated-no-process'
        WHEN coalesce(engine_active, gpu_util) < getvariable('idle_engine') THEN 'loaded-but-idle'
        WHEN coalesce(engine_active, gpu_util) < getvariable('low_engine') THEN 'low'
        WHEN coalesce(engine_active, gpu_util) < getvariable('starved_engine') THEN 'starved'
        WHEN tensor_active < getvariable('communication_tensor')
            AND dram_active < getvariable('communication_dram')
            AND coalesce(nvlink_bytes_per_s, pcie_bytes_per_s) > getvariable('communication_bytes_per_s')
            THEN 'communication-bound'
        WHEN coalesce(engine_active, gpu_util) IS NULL THEN 'unmeasured'
        ELSE 'busy'
    END AS state,
    count(*) AS samples
FROM telemetry
WHERE job_id IS NOT NULL
  AND time >= getvariable('period_start') - INTERVAL 1 DAY
  AND time < getvariable('period_end') + INTERVAL 1 DAY
GROUP BY ALL;

-- Shares of states of a job on a node: of the day, else of the whole time, else nobody knows. Sums are of decimals, so
-- that they do not depend on the order in which threads come to them.
CREATE OR REPLACE TEMP TABLE state_costs AS
WITH daily AS (
    SELECT node, job_id, day, state, samples / sum(samples) OVER (PARTITION BY node, job_id, day) AS share
    FROM sampled
), whole AS (
    SELECT node, job_id, state, sum(samples) / sum(sum(samples)) OVER (PARTITION BY node, job_id) AS share
    FROM sampled
    GROUP BY node, job_id, state
), of_day AS (
    SELECT
        node,
        job_id,
        date_trunc('day', since) AS day,
        CAST(sum(CAST(gpu_s AS DECIMAL(38, 6))) AS DOUBLE) AS gpu_s,
        CAST(sum(cost) AS DOUBLE) AS cost
    FROM pieces
    GROUP BY ALL
), known AS (
    SELECT DISTINCT node, job_id, day FROM sampled
), split AS (
    SELECT of_day.job_id, daily.state, of_day.gpu_s * daily.share AS gpu_s, of_day.cost * daily.share AS cost
    FROM of_day JOIN daily USING (node, job_id, day)
    UNION ALL
    SELECT
        of_day.job_id,
        coalesce(whole.state, 'unmeasured'),
        of_day.gpu_s * coalesce(whole.share, 1),
        of_day.cost * coalesce(whole.share, 1)
    FROM of_day
    ANTI JOIN known USING (node, job_id, day)
    LEFT JOIN whole USING (node, job_id)
)
SELECT
    job_id,
    state,
    CAST(sum(CAST(gpu_s AS DECIMAL(38, 6))) AS DOUBLE) AS gpu_s,
    CAST(sum(CAST(cost AS DECIMAL(38, 12))) AS DOUBLE) AS cost
FROM split
GROUP BY ALL;
