-- The first and the last instant that charges of the period cover.
SELECT min(ChargePeriodStart), max(ChargePeriodEnd)
FROM charges
WHERE ChargePeriodStart >= getvariable('period_start')
  AND ChargePeriodStart < getvariable('period_end')
  AND coalesce(ChargeCategory, 'Usage') = 'Usage'
