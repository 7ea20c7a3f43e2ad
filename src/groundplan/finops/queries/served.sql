-- Services that answered, with the jobs that are theirs by label or name: what those cost, on what, in which format.
WITH answered AS (
    SELECT service, any_value(model) AS model, sum(requests) AS requests, sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens
    FROM counters
    WHERE time >= getvariable('period_start')
      AND time < getvariable('period_end')
    GROUP BY service
), owned AS (
    SELECT
        answered.service,
        jobs.job_id,
        max(jobs.gpus) AS gpus,
        min(lower(coalesce(json_extract_string(jobs.labels, '$.dtype'), json_extract_string(jobs.labels, '$.precision'))))
            AS dtype,
        count(json_extract_string(jobs.labels, '$.quantization')) AS quantised
    FROM answered
    JOIN jobs ON json_extract_string(jobs.labels, '$.service') = answered.service OR jobs.name = answered.service
    GROUP BY answered.service, jobs.job_id
), paid AS (
    SELECT job_id, sum(CAST(cost AS DOUBLE)) AS cost, sum(gpu_s) AS gpu_s
    FROM pieces
    GROUP BY job_id
), charged AS (
    SELECT min(since) AS first, max(until) AS last FROM fleet
), times AS (
    SELECT job_id, min(greatest(since, first)) AS since, max(least(until, last)) AS until
    FROM held, charged
    GROUP BY job_id
), on_accelerators AS (
    SELECT job_id, any_value(model) AS accelerator
    FROM telemetry
    WHERE job_id IS NOT NULL
    GROUP BY job_id
)
SELECT
    answered.*,
    list(owned.job_id ORDER BY owned.job_id) AS jobs,
    sum(paid.cost) AS cost,
    sum(paid.gpu_s) / 3600 AS gpu_hours,
    epoch(max(times.until) - min(times.since)) / 3600 AS hours,
    max(owned.gpus) AS gpus,
    min(owned.gpus) AS least_gpus,
    list(DISTINCT owned.dtype ORDER BY owned.dtype) AS dtypes,
    count(*) FILTER (owned.dtype IS NULL) AS unknown_dtypes,
    sum(owned.quantised) AS quantised,
    any_value(on_accelerators.accelerator) AS accelerator
FROM answered
JOIN owned USING (service)
JOIN paid USING (job_id)
JOIN times USING (job_id)
LEFT JOIN on_accelerators USING (job_id)
GROUP BY ALL
UNION ALL BY NAME
SELECT answered.*
FROM answered
WHERE service NOT IN (SELECT service FROM owned JOIN paid USING (job_id))
ORDER BY cost DESC NULLS LAST, service
