-- Energy and tensor work of the fleet that telemetry covers. Each sample stands for the usual interval of its accelerator;
-- where an accelerator is in slices, each has its part of it.
WITH samples AS (
    SELECT *
    FROM telemetry
    WHERE time >= getvariable('period_start')
      AND time < getvariable('period_end')
), sums AS (
    SELECT
        node, gpu, sum(power_w) AS power_w, sum(tensor_active) AS tensor_active, count(*) AS samples, count(*) AS times,
        epoch(max(time) - min(time)) AS span_s
    FROM samples
    WHERE slice IS NULL
    GROUP BY node, gpu
    UNION ALL
    SELECT node, gpu, sum(power_w), sum(tensor_active), count(*), count(DISTINCT time), epoch(max(time) - min(time))
    FROM samples
    WHERE slice IS NOT NULL
    GROUP BY node, gpu
)
SELECT
    sum(power_w * span_s / greatest(times - 1, 1)) AS energy_j,
    sum(tensor_active * times / samples * span_s / greatest(times - 1, 1)) / 3600 AS tensor_hours
FROM sums
