-- What was charged in the period.
SELECT sum(cost)
FROM charges
WHERE ChargePeriodStart >= getvariable('period_start')
  AND ChargePeriodStart < getvariable('period_end')
