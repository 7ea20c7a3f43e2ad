-- Nodes of the fleet that are not paid by a commitment, hour by hour and by instance type: how many there were, how many
-- were free, and what one cost. Free is one that no job of any kind held at any moment of the hour, and whose accelerators
-- nobody used past the scheduler. Inputs: tables capacity and fleet.
WITH paid AS (
    SELECT
        capacity.node,
        coalesce(ServiceProviderName, ProviderName) AS provider,
        RegionId AS region,
        coalesce(json_extract_string(SkuPriceDetails, '$.InstanceType'), SkuId) AS instance,
        ChargePeriodStart AS since,
        ChargePeriodEnd AS until,
        CAST(sum(cost) AS DOUBLE) AS cost
    FROM charges
    JOIN capacity ON capacity.node = charges.ResourceName
    WHERE PricingCategory IN ('Standard', 'Dynamic')
      AND ChargePeriodStart >= getvariable('period_start')
      AND ChargePeriodStart < getvariable('period_end')
      AND ChargePeriodEnd > ChargePeriodStart
    GROUP BY ALL
), hourly AS (
    SELECT *, unnest(generate_series(date_trunc('hour', since), until - INTERVAL 1 SECOND, INTERVAL 1 HOUR)) AS hour
    FROM paid
), costs AS (
    SELECT provider, region, instance, node, hour,
        sum(cost * epoch(least(until, hour + INTERVAL 1 HOUR) - greatest(since, hour)) / epoch(until - since)) AS cost
    FROM hourly
    GROUP BY ALL
), runs AS (
    SELECT
        unnest(from_json(nodes, '["VARCHAR"]')) AS node,
        start_time AS since,
        coalesce(end_time, (SELECT max(until) FROM fleet)) AS until
    FROM jobs
    WHERE start_time IS NOT NULL
), busy AS (
    SELECT node, unnest(generate_series(date_trunc('hour', since), until - INTERVAL 1 SECOND, INTERVAL 1 HOUR)) AS hour
    FROM runs
    WHERE until > since
    UNION
    SELECT node, date_trunc('hour', time)
    FROM telemetry
    WHERE coalesce(engine_active, gpu_util) >= getvariable('idle_engine')
)
SELECT
    costs.provider,
    costs.region,
    costs.instance,
    costs.hour,
    count(*) AS nodes,
    count(*) FILTER (busy.node IS NULL) AS free,
    avg(costs.cost) AS rate,
    list(costs.node ORDER BY costs.node) AS names
FROM costs
LEFT JOIN busy USING (node, hour)
GROUP BY ALL
ORDER BY ALL
