-- Every charge a day by what says whose it is; those of nodes of the fleet apart, since jobs say whose they are.
SELECT
    date_trunc('day', ChargePeriodStart) AS day,
    coalesce(ResourceName IN (SELECT node FROM fleet), false) AS of_fleet,
    json_extract_string(Tags, getvariable('tag_paths')) AS tags,
    SubAccountId AS account,
    coalesce(ServiceProviderName, ProviderName, '') AS provider,
    coalesce(ServiceName, '') AS service,
    sum(cost) AS cost
FROM charges
GROUP BY ALL
ORDER BY ALL
