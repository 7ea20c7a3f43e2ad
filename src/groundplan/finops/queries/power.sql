-- Energy and tensor work of the fleet that telemetry covers. Each sample stands for the usual interval of its accelerator;
-- where an accelerator is in slices, each has its part of it. Sums are of decimals: the order of threads does not show.
WITH samples AS (
    SELECT *
    FROM telemetry
    WHERE time >= getvariable('period_start')
      AND time < getvariable('period_end')
), sums AS (
    SELECT
        node,
        gpu,
        CAST(sum(CAST(power_w AS DECIMAL(38, 6))) AS DOUBLE) AS power_w,
        CAST(sum(CAST(tensor_active AS DECIMAL(38, 9))) AS DOUBLE) AS tensor_active,
        count(*) AS samples,
        count(*) AS times,
        epoch(max(time) - min(time)) AS span_s
    FROM samples
    WHERE slice IS NULL
    GROUP BY node, gpu
    UNION ALL
    SELECT
        node,
        gpu,
        CAST(sum(CAST(power_w AS DECIMAL(38, 6))) AS DOUBLE),
        CAST(sum(CAST(tensor_active AS DECIMAL(38, 9))) AS DOUBLE),
        count(*),
        count(DISTINCT time),
        epoch(max(time) - min(time))
    FROM samples
    WHERE slice IS NOT NULL
    GROUP BY node, gpu
)
SELECT
    CAST(sum(CAST(power_w * span_s / greatest(times - 1, 1) AS DECIMAL(38, 3))) AS DOUBLE) AS energy_j,
    CAST(sum(CAST(tensor_active * times / samples * span_s / greatest(times - 1, 1) AS DECIMAL(38, 6))) AS DOUBLE) / 3600
        AS tensor_hours
FROM sums
