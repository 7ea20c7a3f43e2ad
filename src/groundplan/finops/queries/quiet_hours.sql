-- Nodes bought on demand that no job held, by hour of the week: how many in every such hour, and what they cost.
WITH bought AS (
    SELECT fleet.node, fleet.since, fleet.cost, fleet.gpus
    FROM fleet
    JOIN charges ON charges.ResourceName = fleet.node AND charges.ChargePeriodStart = fleet.since
    WHERE coalesce(charges.PricingCategory, 'Standard') = 'Standard'
      AND coalesce(charges.ChargeCategory, 'Usage') = 'Usage'
      AND fleet.until - fleet.since <= INTERVAL 1 HOUR
    GROUP BY ALL
), empty AS (
    SELECT bought.*, pieces.node IS NULL AS is_empty
    FROM bought
    LEFT JOIN (SELECT DISTINCT node, since FROM pieces) AS pieces USING (node, since)
), hourly AS (
    SELECT since AS hour, count(*) FILTER (is_empty) AS idle, sum(CAST(cost AS DOUBLE)) / count(*) AS node_cost
    FROM empty
    GROUP BY since
)
SELECT
    isodow(hour) AS weekday,
    hour(hour) AS hour,
    count(*) AS weeks,
    min(idle) AS least,
    avg(idle) AS mean,
    avg(node_cost) AS node_cost
FROM hourly
GROUP BY weekday, hour(hour)
ORDER BY weekday, hour(hour)
