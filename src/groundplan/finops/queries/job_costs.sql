-- What each job cost, with what the scheduler says of it.
SELECT
    pieces.job_id,
    any_value(jobs.account) AS account,
    any_value(jobs."user") AS "user",
    any_value(jobs.name) AS name,
    any_value(jobs.labels) AS labels,
    sum(pieces.cost) AS cost,
    sum(pieces.gpu_s) AS gpu_s
FROM pieces
JOIN jobs USING (job_id)
GROUP BY pieces.job_id
ORDER BY pieces.job_id
