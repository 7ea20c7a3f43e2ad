-- What each job held, cost and did: money by state, the engine's mean, the most memory it used.
WITH states AS (
    SELECT
        job_id,
        sum(cost) AS cost,
        sum(cost) FILTER (state IN ('allocated-no-process', 'loaded-but-idle')) AS idle_cost,
        sum(gpu_s) FILTER (state IN ('allocated-no-process', 'loaded-but-idle')) / 3600 AS idle_hours,
        sum(cost) FILTER (state = 'low') AS low_cost,
        sum(gpu_s) / 3600 AS gpu_hours
    FROM state_costs
    GROUP BY job_id
), use AS (
    SELECT job_id, avg(coalesce(engine_active, gpu_util)) AS engine, max(memory_used_bytes) AS memory_bytes,
        any_value(slice) AS slice
    FROM telemetry
    WHERE job_id IS NOT NULL
    GROUP BY job_id
)
SELECT
    states.*,
    use.engine,
    use.memory_bytes,
    use.slice,
    jobs.gpus,
    jobs.state AS outcome,
    jobs.name,
    jobs."user",
    jobs.account,
    jobs.labels,
    epoch(coalesce(jobs.end_time, jobs.start_time) - jobs.start_time) AS elapsed_s
FROM states
JOIN jobs USING (job_id)
LEFT JOIN use USING (job_id)
ORDER BY states.cost DESC, states.job_id
