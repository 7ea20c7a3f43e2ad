-- Charges that are no node of the fleet, by what says whose they are. Tags are read once for each distinct text.
WITH of_kind AS (
    SELECT
        Tags,
        SubAccountId AS account,
        ChargeCategory AS category,
        ResourceId IS NOT NULL AS has_resource,
        CommitmentDiscountStatus = 'Unused' AS unused,
        sum(cost) AS cost,
        count(*) AS charges
    FROM charges
    WHERE ChargePeriodStart >= getvariable('period_start')
      AND ChargePeriodStart < getvariable('period_end')
      AND NOT coalesce(ResourceName IN (SELECT node FROM fleet), false)
    GROUP BY ALL
)
SELECT
    json_extract_string(Tags, getvariable('tag_paths')) AS tags,
    account,
    category,
    has_resource,
    coalesce(unused, false) AS unused,
    sum(cost) AS cost,
    sum(charges) AS charges
FROM of_kind
GROUP BY ALL
ORDER BY ALL
