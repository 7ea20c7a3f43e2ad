-- Nodes of the fleet that are paid on demand, by instance type, with the jobs they held.
WITH nodes AS (
    SELECT DISTINCT
        coalesce(json_extract_string(SkuPriceDetails, '$.InstanceType'), SkuId) AS instance,
        RegionId AS region,
        ResourceName AS node
    FROM charges
    WHERE PricingCategory = 'Standard'
      AND ResourceName IN (SELECT node FROM fleet)
      AND ChargePeriodStart >= getvariable('period_start')
      AND ChargePeriodStart < getvariable('period_end')
)
SELECT nodes.instance, nodes.region, list(DISTINCT nodes.node) AS nodes, list(DISTINCT pieces.job_id) AS jobs
FROM nodes
LEFT JOIN pieces USING (node)
WHERE nodes.instance IS NOT NULL
GROUP BY ALL
ORDER BY ALL
