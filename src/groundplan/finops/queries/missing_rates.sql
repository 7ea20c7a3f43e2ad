-- Currencies with charges that no rate converts, each with the first of them.
SELECT BillingCurrency AS currency, min(ChargePeriodStart) AS first
FROM charges
WHERE cost IS NULL
  AND BillingCurrency <> getvariable('into_currency')
GROUP BY BillingCurrency
ORDER BY BillingCurrency
