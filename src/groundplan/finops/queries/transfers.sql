-- What moving data between zones and regions cost, by provider, region and kind, with the dearest resource of each.
WITH said AS (
    SELECT
        coalesce(ServiceProviderName, ProviderName) AS provider,
        RegionId AS region,
        coalesce(ResourceName, ResourceId) AS resource,
        CASE WHEN regexp_matches(lower(PricingUnit), '^(gb|gib|gigabyte|gibibyte)') THEN PricingQuantity END AS gb,
        cost,
        lower(concat_ws(' ', SkuMeter, SkuId, ServiceSubcategory, ChargeDescription, SkuPriceDetails,
            json_extract_string(x_extras, '$.x_UsageType'))) AS words
    FROM charges
    WHERE ChargeCategory = 'Usage'
      AND cost > 0
      AND ChargePeriodStart >= getvariable('period_start')
      AND ChargePeriodStart < getvariable('period_end')
), kinds AS (
    SELECT
        * EXCLUDE (words),
        CASE
            WHEN regexp_matches(words, 'regional-bytes|inter-?az|inter[ -]?(availability[ -])?zone|between ec2 azs|cross-?az')
                THEN 'inter-zone'
            WHEN regexp_matches(words, 'inter-?region|inter region|aws-out-bytes|\) data transfer to [a-z]|cross-?region')
                THEN 'inter-region'
        END AS kind
    FROM said
), by_resource AS (
    SELECT provider, region, kind, resource, sum(cost) AS cost, sum(gb) AS gb
    FROM kinds
    WHERE kind IS NOT NULL
    GROUP BY ALL
)
SELECT
    provider,
    region,
    kind,
    CAST(sum(cost) AS DOUBLE) AS cost,
    sum(gb) AS gb,
    count(resource) AS resources,
    arg_max(resource, cost) AS dearest,
    CAST(coalesce(max(cost) FILTER (resource IS NOT NULL), 0) AS DOUBLE) AS dearest_cost
FROM by_resource
GROUP BY provider, region, kind
ORDER BY cost DESC, provider, region, kind
