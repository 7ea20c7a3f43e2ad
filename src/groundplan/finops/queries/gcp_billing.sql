-- Rows of a Google Cloud billing export as charges. Input: view bill; macros bill_money, bill_number, bill_time,
-- bill_category.
-- Labels are a list of keys and values, or an object already; anything else is NULL.
CREATE OR REPLACE TEMP MACRO gcp_labels(written) AS CASE
    WHEN NOT json_valid(written) THEN NULL
    WHEN json_type(written) = 'OBJECT' THEN written
    WHEN json_type(written) = 'ARRAY' THEN '{' || array_to_string(list_transform(
        from_json(written, '[{"key": "VARCHAR", "value": "VARCHAR"}]'),
        lambda label : CAST(to_json(label.key) AS VARCHAR) || ':' || CAST(to_json(coalesce(label.value, '')) AS VARCHAR)
    ), ',') || '}'
END;

-- A credit lowers the rate unless it is a grant. Old exports tell the kind in the name alone.
CREATE OR REPLACE TEMP MACRO gcp_is_grant(kind, name) AS
    CASE WHEN kind IS NULL THEN NOT regexp_matches(lower(coalesce(name, '')), 'discount|free tier|spending based')
    ELSE kind NOT IN ('COMMITTED_USAGE_DISCOUNT', 'COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE', 'SUSTAINED_USAGE_DISCOUNT',
        'DISCOUNT', 'FREE_TIER', 'SUBSCRIPTION_BENEFIT', 'FEE_UTILIZATION_OFFSET', 'RESELLER_MARGIN') END;

CREATE OR REPLACE TEMP VIEW gcp_rows AS
WITH parsed AS (
    SELECT
        * EXCLUDE (tags),
        bill_money(cost) AS amount,
        coalesce(lower(cost_type), 'regular') AS of_type,
        coalesce(starts_with(sku, 'Commitment'), FALSE) AS is_fee,
        CASE WHEN json_valid(credits) AND json_type(credits) = 'ARRAY' THEN from_json(credits, '[{"name": "VARCHAR",
            "amount": "VARCHAR", "full_name": "VARCHAR", "id": "VARCHAR", "type": "VARCHAR"}]') END AS given,
        nullif(json_merge_patch(coalesce(gcp_labels(project_labels), '{}'), coalesce(gcp_labels(tags), '{}'),
            coalesce(gcp_labels(labels), '{}')), '{}') AS all_tags,
        gcp_labels(system_labels) AS system_values,
        try_strptime(month || '01', '%Y%m%d') AS period
    FROM bill
)
SELECT
    *,
    coalesce(list_sum(list_transform(
        list_filter(given, lambda credit : NOT gcp_is_grant(credit.type, credit.name)),
        lambda credit : bill_money(credit.amount)
    )), 0) AS discount,
    coalesce(list_contains(list_transform(given, lambda credit : starts_with(credit.type, 'COMMITTED_USAGE')), TRUE), FALSE)
        AS is_covered,
    list_filter(given, lambda credit : gcp_is_grant(credit.type, credit.name)) AS grants,
    CASE
        WHEN NOT is_whole THEN 'the line is no JSON'
        WHEN credits IS NOT NULL AND given IS NULL THEN 'credits is no JSON list'
        WHEN len(list_filter(given, lambda credit : bill_money(credit.amount) IS NULL)) > 0
            THEN 'the amount of a credit is no number'
        WHEN bill_time(usage_end) < bill_time(usage_start) THEN 'usage_end_time lies before usage_start_time'
    END AS problem
FROM parsed;

CREATE OR REPLACE TEMP VIEW bill_rows AS
WITH parts AS (
    SELECT *, CAST(NULL AS STRUCT("name" VARCHAR, amount VARCHAR, full_name VARCHAR, id VARCHAR, "type" VARCHAR)) AS granted
    FROM gcp_rows
    UNION ALL
    SELECT *, unnest(grants) FROM gcp_rows WHERE len(grants) > 0 AND problem IS NULL AND amount IS NOT NULL
), told AS (
    SELECT *, granted IS NOT NULL AS is_grant FROM parts
)
SELECT
    raw,
    cost, list_cost, consumed, quantity, usage_start, usage_end,
    CASE WHEN is_grant THEN bill_money(granted.amount) ELSE amount + discount END AS BilledCost,
    BilledCost AS EffectiveCost,
    CASE WHEN NOT is_grant THEN bill_money(list_cost) END AS ListCost,
    CASE WHEN NOT is_grant THEN amount END AS ContractedCost,
    upper(currency) AS BillingCurrency,
    bill_time(usage_start) AS ChargePeriodStart,
    bill_time(usage_end) AS ChargePeriodEnd,
    period AS BillingPeriodStart,
    period + INTERVAL 1 MONTH AS BillingPeriodEnd,
    CASE
        WHEN is_grant THEN 'Credit'
        WHEN of_type = 'tax' THEN 'Tax'
        WHEN of_type IN ('adjustment', 'rounding_error') THEN 'Adjustment'
        WHEN is_fee THEN 'Purchase'
        ELSE 'Usage'
    END AS ChargeCategory,
    CASE WHEN adjustment IS NOT NULL THEN 'Correction' END AS ChargeClass,
    CASE WHEN ChargeCategory = 'Usage' THEN 'Usage-Based' WHEN ChargeCategory = 'Purchase' THEN 'Recurring' ELSE 'One-Time' END
        AS ChargeFrequency,
    coalesce(granted.full_name, granted.name, adjustment_words, sku) AS ChargeDescription,
    'Google Cloud' AS ProviderName,
    coalesce(seller, 'Google') AS PublisherName,
    'Google' AS InvoiceIssuerName,
    account AS BillingAccountId,
    project AS SubAccountId,
    project_name AS SubAccountName,
    service AS ServiceName,
    bill_category(service) AS ServiceCategory,
    sku_id AS SkuId,
    sku AS SkuMeter,
    nullif(json_merge_patch('{}', json_object('InstanceType',
        json_extract_string(system_values, '$."compute.googleapis.com/machine_spec"'))), '{}') AS SkuPriceDetails,
    resource AS ResourceId,
    resource_name AS ResourceName,
    coalesce(region, place) AS RegionId,
    zone AS AvailabilityZone,
    CASE
        WHEN is_grant OR of_type <> 'regular' THEN NULL
        WHEN is_fee OR is_covered THEN 'Committed'
        WHEN regexp_matches(sku, '(?i)spot|preemptible') THEN 'Dynamic'
        ELSE 'Standard'
    END AS PricingCategory,
    CASE WHEN NOT is_grant THEN bill_number(quantity) END AS PricingQuantity,
    CASE WHEN NOT is_grant THEN unit END AS PricingUnit,
    CASE WHEN NOT is_grant THEN bill_number(consumed) END AS ConsumedQuantity,
    CASE WHEN NOT is_grant THEN consumed_unit END AS ConsumedUnit,
    bill_number(list_price) AS ListUnitPrice,
    bill_number(price) AS ContractedUnitPrice,
    CASE WHEN is_covered AND NOT is_grant THEN 'Used' END AS CommitmentDiscountStatus,
    CASE WHEN is_fee AND contains(lower(sku), 'dollar based') THEN 'Spend' WHEN is_fee THEN 'Usage' END
        AS CommitmentDiscountCategory,
    all_tags AS Tags,
    CASE WHEN NOT is_grant AND len(given) > 0
        THEN json_merge_patch(coalesce(extras, '{}'), json_object('credits', list_transform(given, lambda credit :
            struct_update(credit, amount := CAST(bill_number(credit.amount) AS VARCHAR))))) ELSE extras END AS x_extras,
    problem
FROM told
