-- Rows of Azure cost details as charges. Input: view bill; macros bill_money, bill_number, bill_time, bill_category.
CREATE OR REPLACE TEMP VIEW bill_rows AS
WITH read AS (
    SELECT
        * EXCLUDE (tags),
        bill_money(cost) AS amount,
        lower(coalesce(kind, 'Usage')) AS charge,
        coalesce(replace(lower(model), ' ', '') IN ('reservation', 'savingsplan'), FALSE) OR coalesce(lower(kind) LIKE 'unused%', FALSE)
            AS is_committed,
        bill_time(day) AS since,
        bill_time(period_end) AS last_day,
        CASE WHEN starts_with(tags, '{') THEN tags WHEN tags IS NOT NULL THEN '{' || tags || '}' END AS said_tags
    FROM bill
), told AS (
    SELECT
        *,
        is_committed AND (charge = 'usage' OR starts_with(charge, 'unused')) AS is_covered,
        is_committed AND charge IN ('purchase', 'refund') AS is_paid_ahead
    FROM read
)
SELECT
    raw,
    cost, list_cost, quantity, unit_price, list_price, day, period_start, period_end,
    CASE WHEN is_covered AND amount IS NOT NULL THEN 0 ELSE amount END AS BilledCost,
    CASE WHEN is_paid_ahead THEN 0 ELSE amount END AS EffectiveCost,
    CASE WHEN starts_with(charge, 'unused') THEN 0 ELSE bill_money(list_cost) END AS ListCost,
    upper(currency) AS BillingCurrency,
    since AS ChargePeriodStart,
    since + INTERVAL 1 DAY AS ChargePeriodEnd,
    bill_time(period_start) AS BillingPeriodStart,
    CASE WHEN day(last_day) > 1 THEN last_day + INTERVAL 1 DAY ELSE last_day END AS BillingPeriodEnd,  -- names a last day
    CASE
        WHEN charge = 'purchase' THEN 'Purchase'
        WHEN charge = 'tax' THEN 'Tax'
        WHEN charge IN ('refund', 'credit') THEN 'Credit'
        WHEN charge LIKE '%adjustment' THEN 'Adjustment'
        ELSE 'Usage'
    END AS ChargeCategory,
    CASE WHEN charge = 'refund' THEN 'Correction' END AS ChargeClass,
    CASE
        WHEN lower(frequency) = 'recurring' THEN 'Recurring'
        WHEN lower(frequency) = 'onetime' OR charge <> 'usage' AND NOT starts_with(charge, 'unused') THEN 'One-Time'
        ELSE 'Usage-Based'
    END AS ChargeFrequency,
    product AS ChargeDescription,
    'Microsoft' AS ProviderName,
    publisher AS PublisherName,
    'Microsoft' AS InvoiceIssuerName,
    invoice AS InvoiceId,
    account AS BillingAccountId,
    account_name AS BillingAccountName,
    subscription AS SubAccountId,
    subscription_name AS SubAccountName,
    meter_category AS ServiceName,
    bill_category(meter_category) AS ServiceCategory,
    meter_sub_category AS ServiceSubcategory,
    meter_id AS SkuId,
    meter_name AS SkuMeter,
    nullif(json_merge_patch('{}', json_object('InstanceType',
        CASE WHEN json_valid(details) THEN json_extract_string(details, '$.ServiceType') END)), '{}') AS SkuPriceDetails,
    resource AS ResourceId,
    coalesce(resource_name, nullif(regexp_extract(resource, '([^/]+)$', 1), '')) AS ResourceName,
    resource_type AS ResourceType,
    region AS RegionId,
    zone AS AvailabilityZone,
    CASE
        WHEN is_committed THEN 'Committed'
        WHEN lower(model) = 'spot' THEN 'Dynamic'
        WHEN charge IN ('usage', 'purchase') THEN 'Standard'
    END AS PricingCategory,
    CASE WHEN NOT (is_covered AND amount = 0) THEN bill_number(quantity) END AS PricingQuantity,
    unit AS PricingUnit,
    PricingQuantity AS ConsumedQuantity,
    unit AS ConsumedUnit,
    bill_number(list_price) AS ListUnitPrice,
    bill_number(unit_price) AS ContractedUnitPrice,
    CASE WHEN is_committed THEN benefit END AS CommitmentDiscountId,
    CASE WHEN is_committed THEN benefit_name END AS CommitmentDiscountName,
    CASE WHEN is_committed THEN
        CASE WHEN replace(lower(model), ' ', '') = 'savingsplan' OR charge = 'unusedsavingsplan' THEN 'Spend' ELSE 'Usage' END
    END AS CommitmentDiscountCategory,
    CASE CommitmentDiscountCategory WHEN 'Spend' THEN 'Savings Plan' WHEN 'Usage' THEN 'Reservation' END
        AS CommitmentDiscountType,
    CASE WHEN starts_with(charge, 'unused') THEN 'Unused' WHEN is_covered THEN 'Used' END AS CommitmentDiscountStatus,
    CASE WHEN json_valid(said_tags) THEN nullif(said_tags, '{}') END AS Tags,
    CASE WHEN said_tags IS NULL OR json_valid(said_tags) THEN extras
        ELSE json_merge_patch(coalesce(extras, '{}'), json_object('tags', said_tags)) END AS x_extras,
    CAST(NULL AS VARCHAR) AS problem
FROM told
