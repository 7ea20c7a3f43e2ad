-- When each job ran, on how much, and which share of its accelerator time was busy; the share is unknown where
-- nothing was measured. Of a job that was begun again all attempts count.
WITH ran AS (
    SELECT
        job_id,
        min(start_time) AS start,
        max(gpus) AS gpus,
        sum(epoch(coalesce(end_time, (SELECT max(until) FROM fleet)) - start_time)) / 3600 AS hours
    FROM jobs
    WHERE start_time IS NOT NULL
    GROUP BY job_id
), use AS (
    SELECT
        job_id,
        coalesce(sum(gpu_s) FILTER (state = 'busy'), 0) / sum(gpu_s) FILTER (state <> 'unmeasured') AS useful
    FROM state_costs
    GROUP BY job_id
)
SELECT ran.*, use.useful
FROM ran
LEFT JOIN use USING (job_id)
