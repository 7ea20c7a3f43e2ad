-- Accelerator-seconds of the fleet that jobs held, by hour; equal hours once. The fleet is what telemetry counted,
-- the hours are the whole ones between its first and last sample.
WITH capacity AS (
    SELECT node, count(DISTINCT gpu) AS gpus
    FROM telemetry
    GROUP BY node
), bounds AS (
    SELECT date_trunc('hour', min(time) + INTERVAL 59 MINUTE) AS since, date_trunc('hour', max(time)) AS until
    FROM telemetry
), hours AS (
    SELECT unnest(generate_series(since, until - INTERVAL 1 HOUR, INTERVAL 1 HOUR)) AS hour
    FROM bounds
), held AS (
    SELECT
        unnest(from_json(nodes, '["VARCHAR"]')) AS node,
        gpus / greatest(json_array_length(nodes), 1) AS gpus,
        greatest(start_time, since) AS since,
        least(coalesce(end_time, until), until) AS until
    FROM jobs, bounds
    WHERE start_time < until
      AND coalesce(end_time, until) > since
      AND gpus > 0
), pieces AS (
    SELECT node, gpus, since, until,
        unnest(generate_series(date_trunc('hour', since), until, INTERVAL 1 HOUR)) AS hour
    FROM held
), by_node AS (
    SELECT
        pieces.hour,
        pieces.node,
        least(
            sum(pieces.gpus * greatest(0, epoch(least(pieces.until, pieces.hour + INTERVAL 1 HOUR)
                - greatest(pieces.since, pieces.hour)))),
            3600 * any_value(capacity.gpus)
        ) AS gpu_s
    FROM pieces
    JOIN capacity USING (node)
    GROUP BY ALL
), hourly AS (
    SELECT hours.hour, coalesce(sum(by_node.gpu_s), 0) AS gpu_s
    FROM hours
    LEFT JOIN by_node USING (hour)
    GROUP BY hours.hour
)
SELECT
    CAST(gpu_s AS DOUBLE) AS gpu_s,
    count(*) AS hours,
    (SELECT sum(gpus) FROM capacity) AS gpus,
    CAST((SELECT 3600 * sum(gpus) FROM capacity) AS DOUBLE) AS capacity_s
FROM hourly
GROUP BY gpu_s
ORDER BY gpu_s;
