-- Usage by day, service, SKU, owner and way of pricing. A resource without a tag today has the owner it usually has.
-- Purchases, credits, taxes, corrections and one-time charges are no usage.
WITH used AS (
    SELECT
        date_trunc('day', ChargePeriodStart) AS day,
        coalesce(ServiceProviderName, ProviderName, '') AS provider,
        coalesce(ServiceName, '') AS service,
        coalesce(SkuId, SkuMeter, '') AS sku,
        coalesce(ResourceId, '') AS resource,
        coalesce(PricingCategory, '') AS category,
        list_filter(json_extract_string(Tags, getvariable('tag_paths')), lambda tag : tag IS NOT NULL)[1] AS owner,
        PricingQuantity AS quantity,
        cost
    FROM charges
    WHERE ChargeCategory = 'Usage'
      AND coalesce(ChargeFrequency, 'Usage-Based') = 'Usage-Based'
      AND ChargeClass IS NULL
), usual AS (
    SELECT provider, service, resource, owner
    FROM used
    WHERE owner IS NOT NULL AND resource <> ''
    GROUP BY provider, service, resource, owner
    QUALIFY row_number() OVER (PARTITION BY provider, service, resource ORDER BY count(*) DESC, owner) = 1
)
SELECT
    used.day,
    used.provider,
    used.service,
    used.sku,
    coalesce(used.owner, usual.owner, '') AS owner,
    used.category,
    sum(CAST(used.cost AS DOUBLE)) AS cost,
    sum(used.quantity) AS quantity
FROM used
LEFT JOIN usual USING (provider, service, resource)
GROUP BY ALL
ORDER BY ALL
