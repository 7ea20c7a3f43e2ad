-- Accelerator-seconds and money of held accelerators by state.
SELECT state, sum(gpu_s) AS gpu_s, sum(cost) AS cost
FROM state_costs
GROUP BY state
ORDER BY state
