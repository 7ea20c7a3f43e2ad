-- Days that the charges of the period span.
SELECT epoch(max(ChargePeriodEnd) - min(ChargePeriodStart)) / 86400 AS days
FROM charges
WHERE ChargeCategory IS DISTINCT FROM 'Purchase'
  AND ChargePeriodStart >= getvariable('period_start')
  AND ChargePeriodStart < getvariable('period_end')
