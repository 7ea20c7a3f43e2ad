-- What a reserved hour costs as a part of one on demand, in the latest price list that says both.
SELECT
    instance,
    region,
    CAST(arg_max(reserved_1y_usd_per_hour, date) AS DOUBLE) / CAST(arg_max(on_demand_usd_per_hour, date) AS DOUBLE)
        AS one_year,
    CAST(arg_max(reserved_3y_usd_per_hour, date) AS DOUBLE) / CAST(arg_max(on_demand_usd_per_hour, date) AS DOUBLE)
        AS three_years,
    arg_max(source, date) AS source
FROM prices
WHERE on_demand_usd_per_hour > 0
  AND coalesce(reserved_1y_usd_per_hour, reserved_3y_usd_per_hour) > 0
GROUP BY instance, region
ORDER BY instance, region
