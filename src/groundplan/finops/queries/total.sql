-- The sum of all charges, and by service provider.
SELECT coalesce(ServiceProviderName, ProviderName, 'unknown') AS provider, sum(cost) AS cost, count(*) AS charges
FROM charges
GROUP BY 1
ORDER BY cost DESC, provider
