-- What the attempts of a run held and cost, by state.
SELECT state_costs.state, sum(state_costs.gpu_s) AS gpu_s, sum(state_costs.cost) AS cost
FROM state_costs
SEMI JOIN run_attempts USING (job_id)
GROUP BY state_costs.state
ORDER BY state_costs.state
