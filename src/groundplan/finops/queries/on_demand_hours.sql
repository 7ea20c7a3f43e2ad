-- Units on demand at once by instance type, equal hours once. A charge of a day is spread evenly over its hours; longer
-- ones say nothing of hours and are left out. `rate` is what a unit-hour cost.
WITH used AS (
    SELECT
        coalesce(ServiceProviderName, ProviderName) AS provider,
        RegionId AS region,
        coalesce(json_extract_string(SkuPriceDetails, '$.InstanceType'), SkuId) AS instance,
        ChargePeriodStart AS since,
        ChargePeriodEnd AS until,
        sum(PricingQuantity) AS quantity,
        CAST(sum(cost) AS DOUBLE) AS cost
    FROM charges
    WHERE ChargeCategory = 'Usage'
      AND ChargeClass IS DISTINCT FROM 'Correction'
      AND PricingCategory = 'Standard'
      AND ServiceCategory = 'Compute'
      AND regexp_full_match(lower(PricingUnit), '(1 )?(hours?|hrs?)')
      AND ChargePeriodStart >= getvariable('period_start')
      AND ChargePeriodStart < getvariable('period_end')
      AND ChargePeriodEnd > ChargePeriodStart
      AND ChargePeriodEnd <= ChargePeriodStart + INTERVAL 1 DAY
    GROUP BY ALL
    HAVING instance IS NOT NULL
), pieces AS (
    SELECT *, unnest(generate_series(date_trunc('hour', since), until - INTERVAL 1 SECOND, INTERVAL 1 HOUR)) AS hour
    FROM used
), hourly AS (
    SELECT
        provider,
        region,
        instance,
        hour,
        round(sum(quantity * epoch(least(until, hour + INTERVAL 1 HOUR) - greatest(since, hour))
            / epoch(until - since)), 9) AS units
    FROM pieces
    GROUP BY ALL
), rates AS (
    SELECT provider, region, instance, sum(cost) / sum(quantity) AS rate
    FROM used
    GROUP BY ALL
    HAVING sum(quantity) > 0 AND sum(cost) > 0
)
SELECT hourly.provider, hourly.region, hourly.instance, units, count(*) AS hours, any_value(rate) AS rate
FROM hourly
JOIN rates ON rates.instance = hourly.instance
    AND rates.provider IS NOT DISTINCT FROM hourly.provider
    AND rates.region IS NOT DISTINCT FROM hourly.region
WHERE units > 0
GROUP BY hourly.provider, hourly.region, hourly.instance, units
ORDER BY hourly.provider, hourly.region, hourly.instance, units
