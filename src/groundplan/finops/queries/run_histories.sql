-- Tracked runs that have ended, with what their jobs cost and every metric they logged; runs of one job share its cost.
WITH costs AS (
    SELECT job_id, sum(CAST(cost AS DOUBLE)) AS cost FROM pieces GROUP BY job_id
)
SELECT
    runs.experiment,
    runs.run_id,
    runs.job_id,
    runs.metrics,
    costs.cost / count(*) OVER (PARTITION BY runs.job_id) AS cost,
    upper(runs.status) AS status
FROM runs
JOIN costs USING (job_id)
ORDER BY runs.experiment, runs.run_id
