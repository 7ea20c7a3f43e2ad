-- Charges in the currency of the variable `into_currency`. A rate holds from its day until the next one.
CREATE OR REPLACE TEMP VIEW charges AS
WITH dated AS (
    SELECT currency, "into", rate, date AS since,
           lead(date, 1, TIMESTAMP '9999-01-01') OVER (PARTITION BY currency, "into" ORDER BY date) AS until
    FROM rates
)
SELECT
    billing.*,
    CASE
        WHEN billing.BillingCurrency = getvariable('into_currency') THEN billing.:cost
        ELSE CAST(CAST(billing.:cost AS DOUBLE) * dated.rate AS DECIMAL(38, 15))
    END AS cost
FROM billing
LEFT JOIN dated
    ON dated.currency = billing.BillingCurrency
    AND dated."into" = getvariable('into_currency')
    AND billing.ChargePeriodStart >= dated.since
    AND billing.ChargePeriodStart < dated.until
