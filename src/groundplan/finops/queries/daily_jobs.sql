-- What each attempt of a job cost a day, with what the scheduler says of it.
SELECT
    date_trunc('day', pieces.since) AS day,
    any_value(attempts.job_id) AS job_id,
    any_value(attempts.account) AS account,
    any_value(attempts."user") AS "user",
    any_value(attempts.name) AS name,
    any_value(attempts.labels) AS labels,
    sum(pieces.cost) AS cost
FROM pieces
JOIN attempts USING (attempt)
GROUP BY day, attempt
ORDER BY day, attempt
