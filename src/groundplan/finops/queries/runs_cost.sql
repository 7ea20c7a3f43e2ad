-- Runs that ended, with what they cost, by how they ended.
SELECT
    CASE WHEN attempts.state = 'COMPLETED' THEN 'completed' WHEN attempts.state = 'RUNNING' THEN 'running' ELSE 'failed' END AS outcome,
    count(DISTINCT attempts.job_id) AS runs,
    sum(pieces.cost) AS cost,
    CAST(sum(CAST(pieces.gpu_s AS DECIMAL(38, 6))) AS DOUBLE) / 3600 AS gpu_hours
FROM pieces
JOIN attempts USING (attempt)
GROUP BY outcome
ORDER BY outcome
