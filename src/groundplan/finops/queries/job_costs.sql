-- What each attempt of a job cost, with what the scheduler says of it.
SELECT
    any_value(attempts.job_id) AS job_id,
    any_value(attempts.account) AS account,
    any_value(attempts."user") AS "user",
    any_value(attempts.name) AS name,
    any_value(attempts.labels) AS labels,
    sum(pieces.cost) AS cost,
    sum(pieces.gpu_s) AS gpu_s
FROM pieces
JOIN attempts USING (attempt)
GROUP BY attempt
ORDER BY attempt
