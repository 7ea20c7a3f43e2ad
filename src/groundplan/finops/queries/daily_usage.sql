-- What usage cost each day. Purchases, credits, taxes, corrections and one-time charges are no usage.
SELECT CAST(date_trunc('day', ChargePeriodStart) AS DATE) AS day, sum(cost) AS cost
FROM charges
WHERE ChargeCategory = 'Usage'
  AND coalesce(ChargeFrequency, 'Usage-Based') = 'Usage-Based'
  AND ChargeClass IS NULL
GROUP BY day
ORDER BY day
