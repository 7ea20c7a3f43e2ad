-- Runs that ended, with what they cost, by how they ended.
SELECT
    CASE WHEN jobs.state = 'COMPLETED' THEN 'completed' WHEN jobs.state = 'RUNNING' THEN 'running' ELSE 'failed' END AS outcome,
    count(DISTINCT jobs.job_id) AS runs,
    sum(pieces.cost) AS cost,
    sum(pieces.gpu_s) / 3600 AS gpu_hours
FROM pieces
JOIN jobs USING (job_id)
GROUP BY outcome
ORDER BY outcome
