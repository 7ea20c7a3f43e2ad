-- What each job cost a day, with what the scheduler says of it.
SELECT
    date_trunc('day', pieces.since) AS day,
    pieces.job_id,
    any_value(jobs.account) AS account,
    any_value(jobs."user") AS "user",
    any_value(jobs.name) AS name,
    any_value(jobs.labels) AS labels,
    sum(pieces.cost) AS cost
FROM pieces
JOIN jobs USING (job_id)
GROUP BY day, pieces.job_id
ORDER BY day, pieces.job_id
