-- The fleet's charges split over the jobs that held it, in the Allocated columns of FOCUS 1.3; what no job held is a row
-- of its own, so that the rows of a charge sum to it.
WITH split AS (
    SELECT node, since, job_id, sum(cost) AS cost, sum(gpu_s) AS gpu_s
    FROM pieces
    GROUP BY node, since, job_id
    UNION ALL
    SELECT fleet.node, fleet.since, NULL, fleet.cost - coalesce(sum(pieces.cost), 0), NULL
    FROM fleet
    LEFT JOIN pieces USING (node, since)
    GROUP BY fleet.node, fleet.since, fleet.until, fleet.cost
)
SELECT
    strftime(fleet.since, '%Y-%m-%dT%H:%M:%SZ') AS ChargePeriodStart,
    strftime(fleet.until, '%Y-%m-%dT%H:%M:%SZ') AS ChargePeriodEnd,
    as_text(fleet.node) AS ResourceName,
    split.cost AS EffectiveCost,
    getvariable('into_currency') AS BillingCurrency,
    'accelerator-seconds' AS AllocatedMethodId,
    CAST(json_object('Elements', json_array(json_object(
        'AllocatedRatio', CASE WHEN fleet.cost = 0 THEN 0 ELSE CAST(split.cost AS DOUBLE) / CAST(fleet.cost AS DOUBLE) END,
        'UsageUnit', 'GPU-Seconds',
        'UsageQuantity', split.gpu_s
    ))) AS VARCHAR) AS AllocatedMethodDetails,
    as_text(split.job_id) AS AllocatedResourceId,
    as_text(jobs.name) AS AllocatedResourceName,
    CAST(json_object('team', jobs.account, 'user', jobs."user") AS VARCHAR) AS AllocatedTags
FROM split
JOIN fleet USING (node, since)
LEFT JOIN (SELECT job_id, any_value(name) AS name, any_value(account) AS account, any_value("user") AS "user"
           FROM jobs GROUP BY job_id) AS jobs USING (job_id)
WHERE split.cost <> 0
ORDER BY fleet.node, fleet.since, split.job_id
