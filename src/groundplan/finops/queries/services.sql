-- What services answered, with what their nodes cost, or else what is tagged with the service's name.
WITH answered AS (
    SELECT service, any_value(model) AS model, sum(requests) AS requests, sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens
    FROM counters
    WHERE time >= getvariable('period_start')
      AND time < getvariable('period_end')
    GROUP BY service
), on_nodes AS (
    SELECT places.service, sum(fleet.cost) AS cost
    FROM fleet
    JOIN (SELECT DISTINCT service, node FROM counters WHERE node IS NOT NULL) AS places USING (node)
    GROUP BY places.service
), tagged AS (
    SELECT json_extract_string(Tags, '$.service') AS service, sum(cost) AS cost
    FROM charges
    WHERE ChargePeriodStart >= getvariable('period_start')
      AND ChargePeriodStart < getvariable('period_end')
    GROUP BY service
)
SELECT answered.*, coalesce(on_nodes.cost, tagged.cost) AS cost
FROM answered
LEFT JOIN on_nodes USING (service)
LEFT JOIN tagged USING (service)
ORDER BY answered.service
