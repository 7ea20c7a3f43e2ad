-- What each job held, cost and did: money by state and on demand, the engine's mean, the most memory it used. Of a job
-- that was begun again the last attempt says how it ended.
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
), on_demand AS (
    SELECT pieces.job_id, sum(CAST(pieces.cost AS DOUBLE)) AS on_demand_cost
    FROM pieces
    SEMI JOIN charges ON charges.ResourceName = pieces.node
        AND charges.ChargePeriodStart = pieces.since
        AND charges.PricingCategory = 'Standard'
    GROUP BY pieces.job_id
), last_jobs AS (
    SELECT *
    FROM jobs
    QUALIFY row_number() OVER (PARTITION BY job_id ORDER BY submit_time DESC, start_time DESC) = 1
), use AS (
    SELECT job_id, avg(coalesce(engine_active, gpu_util)) AS engine, max(memory_used_bytes) AS memory_bytes,
        any_value(slice) AS slice
    FROM telemetry
    WHERE job_id IS NOT NULL
    GROUP BY job_id
)
SELECT
    states.*,
    coalesce(on_demand.on_demand_cost, 0) AS on_demand_cost,
    use.engine,
    use.memory_bytes,
    use.slice,
    last_jobs.gpus,
    last_jobs.state AS outcome,
    last_jobs.name,
    last_jobs."user",
    last_jobs.account,
    last_jobs.labels,
    epoch(coalesce(last_jobs.end_time, last_jobs.start_time) - last_jobs.start_time) AS elapsed_s
FROM states
JOIN last_jobs USING (job_id)
LEFT JOIN on_demand USING (job_id)
LEFT JOIN use USING (job_id)
ORDER BY states.cost DESC, states.job_id
