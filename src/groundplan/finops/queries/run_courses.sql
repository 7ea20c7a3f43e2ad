-- Tracked runs with the course of their metrics and what their jobs cost.
WITH costs AS (
    SELECT job_id, sum(CAST(cost AS DOUBLE)) AS cost FROM pieces GROUP BY job_id
)
SELECT runs.experiment, runs.run_id, runs.name, runs.status, runs.metrics, costs.cost
FROM runs
JOIN costs USING (job_id)
WHERE runs.experiment IS NOT NULL AND runs.metrics IS NOT NULL
ORDER BY runs.experiment, runs.run_id
