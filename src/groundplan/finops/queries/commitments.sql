-- Commitments and discounts of the period: usage alone, at list and at what it cost after amortisation.
SELECT
    sum(EffectiveCost) FILTER (CommitmentDiscountStatus = 'Used') AS used,
    sum(EffectiveCost) FILTER (CommitmentDiscountStatus = 'Unused') AS unused,
    sum(ListCost) FILTER (PricingCategory = 'Committed' AND CommitmentDiscountStatus IS DISTINCT FROM 'Unused')
        AS committed_at_list,
    sum(ListCost) FILTER (ServiceCategory = 'Compute' AND CommitmentDiscountStatus IS DISTINCT FROM 'Unused')
        AS compute_at_list,
    sum(EffectiveCost) FILTER (ListCost > 0) AS discounted,
    sum(ListCost) FILTER (ListCost > 0) AS at_list
FROM charges
WHERE ChargeCategory = 'Usage'
  AND ChargePeriodStart >= getvariable('period_start')
  AND ChargePeriodStart < getvariable('period_end')
