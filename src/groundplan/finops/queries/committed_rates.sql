-- What usage under commitments cost, as a part of its price on demand, by instance type.
SELECT
    coalesce(json_extract_string(SkuPriceDetails, '$.InstanceType'), SkuId) AS instance,
    RegionId AS region,
    CAST(sum(EffectiveCost) / sum(ListCost) AS DOUBLE) AS share
FROM charges
WHERE ChargeCategory = 'Usage'
  AND CommitmentDiscountStatus = 'Used'
  AND ServiceCategory = 'Compute'
  AND ListCost > 0
  AND ChargePeriodStart >= getvariable('period_start')
  AND ChargePeriodStart < getvariable('period_end')
GROUP BY ALL
HAVING instance IS NOT NULL AND sum(EffectiveCost) > 0
ORDER BY ALL
