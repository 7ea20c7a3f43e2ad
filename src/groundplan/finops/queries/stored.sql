-- What each bucket of object storage keeps in its first tier, with what the requests and data of the bucket cost.
-- `service_counts`: whether the bill shows requests or retrievals of the service at all, for any bucket.
WITH said AS (
    SELECT
        coalesce(ServiceProviderName, ProviderName) AS provider,
        ServiceName AS service,
        RegionId AS region,
        coalesce(ResourceName, ResourceId) AS bucket,
        lower(PricingUnit) AS unit,
        PricingQuantity AS quantity,
        CAST(cost AS DOUBLE) AS cost,
        lower(concat_ws(' ', SkuMeter, SkuId, ChargeDescription, SkuPriceDetails)) AS words
    FROM charges
    WHERE ChargeCategory = 'Usage'
      AND ServiceCategory = 'Storage'
      AND regexp_matches(lower(ServiceName), 's3|simple storage|cloud storage|storage account|blob')
      AND ChargePeriodStart >= getvariable('period_start')
      AND ChargePeriodStart < getvariable('period_end')
), told AS (
    SELECT
        *,
        regexp_full_match(unit, '(1 )?(gb|gib|gibibyte|gigabyte)[ -/]?(mo|month)s?') AS is_stored,
        regexp_matches(words, 'glacier|archive|infrequent|\bia\b|coldline|nearline|cool|cold|intelligent') AS is_cold
    FROM said
), buckets AS (
    SELECT
        provider,
        service,
        region,
        bucket,
        sum(quantity) FILTER (is_stored AND NOT is_cold) AS gb_months,
        sum(cost) FILTER (is_stored AND NOT is_cold) AS kept_cost,
        coalesce(sum(cost) FILTER (NOT is_stored), 0) AS read_cost,
        bool_or(bool_or(NOT is_stored)) OVER (PARTITION BY provider, service) AS service_counts
    FROM told
    GROUP BY provider, service, region, bucket
)
SELECT provider, service, region, bucket, gb_months, kept_cost AS cost, read_cost, service_counts
FROM buckets
WHERE kept_cost > 0 AND gb_months > 0
ORDER BY kept_cost DESC, bucket
