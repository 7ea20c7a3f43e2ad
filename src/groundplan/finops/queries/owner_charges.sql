-- Charges that are no node of the fleet by what says whose they are, with what they are for.
SELECT
    json_extract_string(Tags, getvariable('tag_paths')) AS tags,
    SubAccountId AS account,
    coalesce(ServiceName, '') AS service,
    coalesce(SkuId, SkuMeter, '') AS sku,
    sum(cost) AS cost
FROM charges
WHERE ChargePeriodStart >= getvariable('period_start')
  AND ChargePeriodStart < getvariable('period_end')
  AND NOT coalesce(ResourceName IN (SELECT node FROM fleet), false)
GROUP BY ALL
ORDER BY ALL
