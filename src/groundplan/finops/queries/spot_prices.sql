-- The deepest spot discount that is known of an instance type that the fleet pays on demand, with the highest band of
-- interruptions; price and band may come from different lists.
SELECT
    instance,
    min(CAST(spot_usd_per_hour AS DOUBLE) / CAST(on_demand_usd_per_hour AS DOUBLE))
        FILTER (on_demand_usd_per_hour > 0) AS share,
    max(interruption_high) AS interruptions
FROM prices
WHERE instance IN (
    SELECT coalesce(json_extract_string(SkuPriceDetails, '$.InstanceType'), SkuId)
    FROM charges
    WHERE PricingCategory = 'Standard'
      AND ResourceName IN (SELECT node FROM fleet)
)
GROUP BY instance
HAVING share IS NOT NULL
ORDER BY instance
