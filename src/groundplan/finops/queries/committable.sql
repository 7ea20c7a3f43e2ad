-- Hours of compute that was bought on demand, by type, region and hour: what a commitment could have covered.
SELECT
    coalesce(json_extract_string(SkuPriceDetails, '$.InstanceType'), SkuId) AS sku,
    any_value(coalesce(ServiceProviderName, ProviderName)) AS provider,
    RegionId AS region,
    date_trunc('hour', ChargePeriodStart) AS hour,
    sum(coalesce(PricingQuantity, ConsumedQuantity)) AS hours,
    sum(CAST(cost AS DOUBLE)) AS cost
FROM charges
WHERE ServiceCategory = 'Compute'
  AND coalesce(ChargeCategory, 'Usage') = 'Usage'
  AND coalesce(PricingCategory, 'Standard') = 'Standard'
  AND CommitmentDiscountId IS NULL
  AND coalesce(PricingUnit, ConsumedUnit) ILIKE 'h%r%'
  AND ChargePeriodEnd - ChargePeriodStart <= INTERVAL 1 HOUR
  AND ChargePeriodStart >= getvariable('period_start')
  AND ChargePeriodStart < getvariable('period_end')
GROUP BY sku, region, hour
HAVING sum(CAST(cost AS DOUBLE)) > 0 AND sum(coalesce(PricingQuantity, ConsumedQuantity)) > 0
ORDER BY sku, region, hour
