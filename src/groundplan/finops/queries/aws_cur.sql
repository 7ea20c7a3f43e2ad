-- Lines of an AWS cost and usage report as charges. Input: view bill; macros bill_money, bill_number, bill_time,
-- bill_category.
CREATE OR REPLACE TEMP VIEW cur_lines AS
WITH read AS (
    SELECT
        *,
        line_item_line_item_type AS kind,
        bill_money(line_item_unblended_cost) AS unblended,
        bill_time(line_item_usage_start_date) AS since,
        bill_time(line_item_usage_end_date) AS until,
        coalesce(savings_plan_savings_plan_a_r_n, reservation_reservation_a_r_n) AS commitment,
        -- Keys alone lose the mark that a user set them; a value that looks like one keeps it.
        CASE WHEN json_valid(map_tags)
            THEN regexp_replace(map_tags, '([{,]\s*)"user[_:]([^"]*)"\s*:', '\1"\2":', 'g') END AS own_tags,
        CASE WHEN json_valid(product) THEN product END AS product_map
    FROM bill
), costed AS (
    SELECT
        *,
        nullif(json_merge_patch(coalesce(own_tags, '{}'), flat_tags), '{}') AS all_tags,
        CASE
            WHEN kind = 'SavingsPlanCoveredUsage' THEN bill_money(savings_plan_savings_plan_effective_cost)
            WHEN kind = 'DiscountedUsage' THEN bill_money(reservation_effective_cost)
            WHEN kind IN ('SavingsPlanNegation', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee', 'RIFee') THEN 0
            WHEN kind = 'Fee' AND reservation_reservation_a_r_n IS NOT NULL THEN 0
            ELSE unblended
        END AS effective,
        CASE
            WHEN kind = 'SavingsPlanRecurringFee'
                THEN bill_money(savings_plan_total_commitment_to_date) - bill_money(savings_plan_used_commitment)
            WHEN kind = 'RIFee' THEN coalesce(
                bill_money(reservation_unused_amortized_upfront_fee_for_billing_period)
                    + bill_money(reservation_unused_recurring_fee),
                bill_money(reservation_unused_recurring_fee),
                bill_money(reservation_unused_amortized_upfront_fee_for_billing_period)
            )
            ELSE 0
        END AS unused
    FROM read
)
SELECT
    *,
    CASE
        WHEN kind IS NULL THEN 'line_item_line_item_type is missing'
        WHEN kind = 'SavingsPlanCoveredUsage' AND effective IS NULL
            THEN 'savings_plan_savings_plan_effective_cost is missing: what the usage cost is not known'
        WHEN kind = 'DiscountedUsage' AND effective IS NULL
            THEN 'reservation_effective_cost is missing: what the usage cost is not known'
        WHEN kind = 'SavingsPlanRecurringFee' AND unused IS NULL
            THEN 'savings_plan_total_commitment_to_date or .._used_commitment is missing: what was unused is not known'
        WHEN kind = 'RIFee' AND unused IS NULL
            THEN 'reservation_unused_recurring_fee is missing: what was unused is not known'
        WHEN until < since THEN 'line_item_usage_end_date lies before line_item_usage_start_date'
    END AS problem
FROM costed;

CREATE OR REPLACE TEMP VIEW bill_rows AS
WITH parts AS (
    SELECT *, FALSE AS is_unused FROM cur_lines
    UNION ALL
    SELECT *, TRUE FROM cur_lines
    WHERE kind IN ('RIFee', 'SavingsPlanRecurringFee') AND unused <> 0 AND problem IS NULL AND unblended IS NOT NULL
)
SELECT
    * EXCLUDE (problem),
    CASE WHEN is_unused THEN 0 ELSE unblended END AS BilledCost,
    CASE WHEN is_unused THEN unused ELSE effective END AS EffectiveCost,
    CASE WHEN is_unused OR kind = 'SavingsPlanNegation' THEN 0
        ELSE bill_money(pricing_public_on_demand_cost) END AS ListCost,
    CASE
        WHEN is_unused OR kind = 'SavingsPlanNegation' THEN 0
        WHEN kind = 'DiscountedUsage' THEN bill_money(pricing_public_on_demand_cost)
        ELSE unblended
    END AS ContractedCost,
    upper(line_item_currency_code) AS BillingCurrency,
    since AS ChargePeriodStart,
    coalesce(until, since + INTERVAL 1 HOUR) AS ChargePeriodEnd,
    bill_time(bill_billing_period_start_date) AS BillingPeriodStart,
    bill_time(bill_billing_period_end_date) AS BillingPeriodEnd,
    CASE
        WHEN is_unused THEN 'Usage'
        WHEN kind = 'Tax' THEN 'Tax'
        WHEN kind IN ('Credit', 'Refund') OR kind LIKE '%Discount' THEN 'Credit'
        WHEN kind LIKE '%Fee' THEN 'Purchase'
        WHEN kind = 'SavingsPlanNegation' THEN 'Adjustment'
        ELSE 'Usage'
    END AS ChargeCategory,
    CASE WHEN kind = 'Refund' THEN 'Correction' END AS ChargeClass,
    CASE
        WHEN is_unused OR kind LIKE '%Usage' OR kind = 'SavingsPlanNegation' THEN 'Usage-Based'
        WHEN kind IN ('RIFee', 'SavingsPlanRecurringFee') THEN 'Recurring'
        ELSE 'One-Time'
    END AS ChargeFrequency,
    line_item_line_item_description AS ChargeDescription,
    'AWS' AS ProviderName,
    line_item_legal_entity AS InvoiceIssuerName,
    bill_invoice_id AS InvoiceId,
    bill_payer_account_id AS BillingAccountId,
    bill_payer_account_name AS BillingAccountName,
    line_item_usage_account_id AS SubAccountId,
    line_item_usage_account_name AS SubAccountName,
    line_item_product_code AS ServiceName,
    CASE
        WHEN line_item_usage_type LIKE '%EBS:%' THEN 'Storage'
        WHEN line_item_usage_type LIKE '%DataTransfer%' OR line_item_usage_type LIKE '%NatGateway%' THEN 'Networking'
        ELSE bill_category(line_item_product_code)
    END AS ServiceCategory,
    coalesce(product_sku, line_item_usage_type) AS SkuId,
    line_item_usage_type AS SkuMeter,
    pricing_rate_code AS SkuPriceId,
    nullif(json_merge_patch('{}', json_object('InstanceType', coalesce(
        product_instance_type, json_extract_string(product_map, '$.instance_type')
    ))), '{}') AS SkuPriceDetails,
    CASE WHEN NOT is_unused THEN line_item_resource_id END AS ResourceId,
    coalesce(json_extract_string(all_tags, '$.Name'), json_extract_string(all_tags, '$.name')) AS ResourceName,
    coalesce(product_region_code, product_region, json_extract_string(product_map, '$.region')) AS RegionId,
    line_item_availability_zone AS AvailabilityZone,
    CASE
        WHEN kind IN ('SavingsPlanCoveredUsage', 'DiscountedUsage', 'RIFee', 'SavingsPlanRecurringFee') THEN 'Committed'
        WHEN line_item_usage_type LIKE '%SpotUsage%' OR pricing_term = 'Spot' THEN 'Dynamic'
        WHEN kind LIKE '%Usage' OR kind LIKE '%Fee' THEN 'Standard'
    END AS PricingCategory,
    CASE WHEN NOT is_unused AND kind LIKE '%Usage' THEN bill_number(line_item_usage_amount) END AS PricingQuantity,
    CASE WHEN NOT is_unused AND kind LIKE '%Usage' THEN pricing_unit END AS PricingUnit,
    PricingQuantity AS ConsumedQuantity,
    PricingUnit AS ConsumedUnit,
    bill_number(pricing_public_on_demand_rate) AS ListUnitPrice,
    bill_number(line_item_unblended_rate) AS ContractedUnitPrice,
    commitment AS CommitmentDiscountId,
    CASE WHEN savings_plan_savings_plan_a_r_n IS NOT NULL THEN 'Spend'
        WHEN reservation_reservation_a_r_n IS NOT NULL THEN 'Usage' END AS CommitmentDiscountCategory,
    CASE WHEN savings_plan_savings_plan_a_r_n IS NOT NULL THEN coalesce(savings_plan_offering_type, 'Savings Plan')
        WHEN reservation_reservation_a_r_n IS NOT NULL THEN 'Reserved Instance' END AS CommitmentDiscountType,
    CASE WHEN is_unused THEN 'Unused'
        WHEN kind IN ('SavingsPlanCoveredUsage', 'DiscountedUsage') THEN 'Used' END AS CommitmentDiscountStatus,
    CASE WHEN is_unused THEN bill_number(reservation_unused_quantity) END AS CommitmentDiscountQuantity,
    all_tags AS Tags,
    extras AS x_extras,
    problem
FROM parts
