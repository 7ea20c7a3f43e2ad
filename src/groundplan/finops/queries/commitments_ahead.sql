-- Dollars an hour of commitments that still run when the bill ends and that none of its rows shows.
SELECT coalesce(sum(CAST(ContractCommitmentCost AS DOUBLE)
    / (epoch(ContractCommitmentPeriodEnd - ContractCommitmentPeriodStart) / 3600)), 0) AS per_hour
FROM commitments
WHERE BillingCurrency = getvariable('into_currency')
  AND ContractCommitmentPeriodEnd > ContractCommitmentPeriodStart
  AND ContractCommitmentPeriodEnd > (SELECT max(ChargePeriodEnd) FROM charges)
  AND ContractCommitmentId NOT IN (
      SELECT CommitmentDiscountId FROM charges WHERE CommitmentDiscountId IS NOT NULL
  )
