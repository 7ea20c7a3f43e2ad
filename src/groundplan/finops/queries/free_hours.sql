-- Nodes of the fleet that are not paid by a commitment, hour by hour and by instance type: how many there were, how many
-- nobody held at any moment of the hour, and what one cost. Inputs: tables capacity and held.
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
), busy AS (
    SELECT DISTINCT
        node,
        unnest(generate_series(date_trunc('hour', since), until - INTERVAL 1 SECOND, INTERVAL 1 HOUR)) AS hour
    FROM held
    WHERE until > since
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
