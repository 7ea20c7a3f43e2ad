-- Tracked runs whose configuration had run to its end before, with what their jobs cost.
WITH costs AS (
    SELECT job_id, sum(CAST(cost AS DOUBLE)) AS cost FROM pieces GROUP BY job_id
), ordered AS (
    SELECT runs.experiment, runs.configuration, runs.run_id, costs.cost,
        row_number() OVER (PARTITION BY runs.experiment, runs.configuration ORDER BY runs.start_time, runs.run_id) AS turn
    FROM runs
    JOIN costs USING (job_id)
    WHERE runs.configuration IS NOT NULL AND upper(runs.status) IN ('FINISHED', 'COMPLETED')
)
SELECT experiment, configuration, count(*) AS repeats, sum(cost) AS cost
FROM ordered
WHERE turn > 1
GROUP BY experiment, configuration
ORDER BY cost DESC, configuration
