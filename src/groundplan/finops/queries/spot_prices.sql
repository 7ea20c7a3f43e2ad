-- The deepest spot discount that is known of an instance, with the highest band of interruptions.
SELECT
    instance,
    min(CAST(spot_usd_per_hour AS DOUBLE) / CAST(on_demand_usd_per_hour AS DOUBLE)) AS share,
    max(interruption_high) AS interruptions
FROM prices
WHERE on_demand_usd_per_hour > 0
GROUP BY instance
HAVING share IS NOT NULL
ORDER BY instance
