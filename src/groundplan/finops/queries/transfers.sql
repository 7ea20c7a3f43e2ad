-- Charges for moving data between regions or zones of one provider, by resource.
SELECT
    coalesce(ResourceId, SubAccountId, BillingAccountId) AS resource,
    any_value(coalesce(ServiceProviderName, ProviderName)) AS provider,
    any_value(coalesce(SkuMeter, ChargeDescription)) AS meter,
    any_value(RegionId) AS region,
    sum(CAST(cost AS DOUBLE)) AS cost,
    sum(coalesce(ConsumedQuantity, PricingQuantity)) AS quantity,
    any_value(coalesce(ConsumedUnit, PricingUnit)) AS unit
FROM charges
WHERE coalesce(ChargeCategory, 'Usage') = 'Usage'
  AND regexp_matches(
      concat_ws(' ', SkuMeter, ChargeDescription, SkuId, ServiceSubcategory, CAST(x_extras AS VARCHAR)),
      '(?i)DataTransfer-Regional|[A-Z0-9]+-[A-Z0-9]+-AWS-(Out|In)-Bytes|inter[ -]?(region|zone|continent)'
      '|cross[ -]?(region|zone|az)|intra[ -]continent'
  )
  AND ChargePeriodStart >= getvariable('period_start')
  AND ChargePeriodStart < getvariable('period_end')
GROUP BY ALL
HAVING sum(CAST(cost AS DOUBLE)) > 0
ORDER BY cost DESC, resource
