-- Tracked runs whose configuration had run to its end before, with what their jobs cost; runs of one job share it.
WITH costs AS (
    SELECT job_id, sum(CAST(cost AS DOUBLE)) AS cost FROM pieces GROUP BY job_id
), shared AS (
    SELECT runs.*, costs.cost / count(*) OVER (PARTITION BY runs.job_id) AS cost
    FROM runs
    JOIN costs USING (job_id)
), ordered AS (
    SELECT *, row_number() OVER (PARTITION BY experiment, configuration ORDER BY start_time, run_id) AS turn
    FROM shared
    WHERE configuration IS NOT NULL AND upper(status) IN ('FINISHED', 'COMPLETED')
)
SELECT experiment, configuration, count(*) AS repeats, sum(cost) AS cost, list(DISTINCT job_id) AS jobs
FROM ordered
WHERE turn > 1
GROUP BY experiment, configuration
ORDER BY cost DESC, configuration
