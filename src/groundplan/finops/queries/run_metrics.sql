-- Metrics that tracked runs of the attempts logged.
SELECT runs.metrics
FROM runs
JOIN run_attempts USING (job_id)
