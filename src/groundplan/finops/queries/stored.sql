-- What is stored, by resource: what it cost, and whether anyone was charged for reading or listing it.
SELECT
    ResourceId AS resource,
    any_value(coalesce(ServiceProviderName, ProviderName)) AS provider,
    any_value(ServiceName) AS service,
    sum(CAST(cost AS DOUBLE)) FILTER (held) AS cost,
    max(PricingQuantity) FILTER (held) AS quantity,
    max(PricingUnit) FILTER (held) AS unit,
    count(*) FILTER (NOT held) AS reads,
    string_agg(DISTINCT ChargeDescription, '; ') AS told,
    epoch(max(ChargePeriodEnd) - min(ChargePeriodStart)) / 86400 AS days
FROM (
    SELECT *, regexp_matches(coalesce(PricingUnit, ConsumedUnit, ''), '(?i)^(gi?b|ti?b)[- /]*(mo|hours?|hrs?)') AS held
    FROM charges
    WHERE ServiceCategory = 'Storage'
      AND coalesce(ChargeCategory, 'Usage') = 'Usage'
      AND ResourceId IS NOT NULL
      AND ChargePeriodStart >= getvariable('period_start')
      AND ChargePeriodStart < getvariable('period_end')
)
GROUP BY ResourceId
HAVING sum(CAST(cost AS DOUBLE)) FILTER (held) > 0
ORDER BY cost DESC, resource
