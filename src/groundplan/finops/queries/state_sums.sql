-- Accelerator-seconds and money of held accelerators by state.
SELECT
    state,
    CAST(sum(CAST(gpu_s AS DECIMAL(38, 6))) AS DOUBLE) AS gpu_s,
    CAST(sum(CAST(cost AS DECIMAL(38, 12))) AS DOUBLE) AS cost
FROM state_costs
GROUP BY state
ORDER BY state
