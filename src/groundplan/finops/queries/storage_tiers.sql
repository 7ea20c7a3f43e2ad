-- A tier of object storage for what is hardly read, by provider: its price, and that of getting a GB back, as a part of a
-- GB-month in the first tier. Of several prices the least saving: the dearest cold one over the cheapest hot one.
WITH named AS (
    SELECT
        lower(provider) AS provider,
        CASE
            WHEN resource LIKE 'aws_s3_bucket%' AND component = 'Storage (infrequent access)' THEN 'cold'
            WHEN resource LIKE 'aws_s3_bucket%' AND component = 'Storage (frequent access)' THEN 'hot'
            WHEN resource LIKE 'google_storage_bucket%' AND component = 'Storage (coldline)' THEN 'cold'
            WHEN resource LIKE 'google_storage_bucket%' AND component = 'Storage (standard)' THEN 'hot'
            WHEN resource LIKE 'google_storage_bucket%' AND component = 'Data retrieval' THEN 'back'
            WHEN resource LIKE 'azurerm_storage_account%Standard.LRS.Cool%' AND component = 'Capacity' THEN 'cold'
            WHEN resource LIKE 'azurerm_storage_account%Standard.LRS.Cool%' AND component = 'Data retrieval' THEN 'back'
            WHEN resource LIKE 'azurerm_storage_account%Standard.LRS.Hot%' AND component LIKE 'Capacity%' THEN 'hot'
        END AS role,
        CAST(usd_per_unit AS DOUBLE) AS usd
    FROM storage_prices
    WHERE usd_per_unit > 0
)
SELECT
    provider,
    max(usd) FILTER (role = 'cold') / min(usd) FILTER (role = 'hot') AS share,
    coalesce(max(usd) FILTER (role = 'back'), 0) / min(usd) FILTER (role = 'hot') AS back
FROM named
WHERE role IS NOT NULL
GROUP BY provider
HAVING share IS NOT NULL
ORDER BY provider
