-- Jobs with a tracked run: what each cost, and what the run logged. Inputs: table pieces.
SELECT sum(pieces.cost) AS cost, any_value(runs.metrics) AS metrics
FROM pieces
JOIN runs USING (job_id)
GROUP BY pieces.job_id, runs.run_id
ORDER BY pieces.job_id, runs.run_id
